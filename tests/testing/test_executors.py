"""The contract of executors fails what breaks it, and the flaky double does what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gennas.eval.base import Evaluator
from gennas.execution import Executor, SerialExecutor
from gennas.search import Origin, Proposal, Trial
from gennas.spaces import MacroChain
from gennas.testing import ExecutorContract, FlakyExecutor, SyntheticEvaluator

ALL = ("test_every_proposal_comes_back_once_with_its_own_values", "test_failures_end_one_trial_only")


def proposals(n: int) -> list[Proposal]:
    archs = MacroChain().sample(n, np.random.default_rng(0))
    return [Proposal(arch, Origin("test"), id=i) for i, arch in enumerate(archs)]


def results(executor: Executor, n: int) -> list[Trial]:
    for proposal in proposals(n):
        executor.submit(proposal)
    return [executor.wait_any() for _ in range(n)]


def flaky(**settings: int) -> FlakyExecutor:
    return FlakyExecutor(SyntheticEvaluator(MacroChain().schema), **settings)


@pytest.mark.parametrize("every", [0, 1, 3])
def test_it_loses_one_in_so_many_by_number(every: int) -> None:
    trials = results(flaky(lose_every=every), 12)
    lost = sorted(t.proposal.id for t in trials if t.status == "lost")
    assert lost == ([] if not every else list(range(0, 12, every)))
    assert sorted(t.proposal.id for t in trials) == list(range(12))
    for trial in trials:
        assert (trial.error, bool(trial.metrics)) == (
            ("lost on purpose", False) if trial.status == "lost" else ("", True)
        )


def test_the_order_is_odd_and_of_the_seed() -> None:
    orders = [[t.proposal.id for t in results(flaky(seed=s), 12)] for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2] and orders[0] != list(range(12))


class Swapped(SerialExecutor):
    """Gives a trial the metrics of the one before."""

    last: Trial | None = None

    def wait_any(self) -> Trial:
        trial = super().wait_any()
        before, self.last = self.last or trial, trial
        return replace(trial, metrics=before.metrics)


class Repeating(SerialExecutor):
    """Returns the first trial again and again."""

    first: Trial | None = None

    def wait_any(self) -> Trial:
        self.first = self.first or super().wait_any()
        return self.first


class Silent(SerialExecutor):
    """Loses the reason of a failure."""

    def wait_any(self) -> Trial:
        return replace(super().wait_any(), error="")


class Hopeful(SerialExecutor):
    """Calls everything a success."""

    def wait_any(self) -> Trial:
        return replace(super().wait_any(), status="ok")


def contract(make: type[SerialExecutor]) -> ExecutorContract:
    class Checked(ExecutorContract):
        def make(self, evaluator: Evaluator) -> Executor:
            return make(evaluator)

    return Checked()


@pytest.mark.parametrize(
    ("make", "check"),
    [(Swapped, ALL[0]), (Repeating, ALL[0]), (FlakyExecutor, ALL[0]), (Silent, ALL[1]), (Hopeful, ALL[1])],
)
def test_a_broken_executor_is_caught(make: type[SerialExecutor], check: str) -> None:
    with pytest.raises(AssertionError):
        getattr(contract(make), check)()


@pytest.mark.parametrize("check", ALL)
def test_a_working_executor_passes(check: str) -> None:
    getattr(contract(SerialExecutor), check)()


def test_executors_are_closed_also_after_a_failed_check() -> None:
    closed: list[bool] = []

    class Closing(Repeating):
        def close(self) -> None:
            closed.append(True)
            super().close()

    with pytest.raises(AssertionError):
        getattr(contract(Closing), ALL[0])()
    assert closed == [True]
