"""Executors for tests, and the contract that every executor keeps."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from gennas.eval.base import Evaluator, Fidelity
from gennas.execution import Executor, SerialExecutor
from gennas.graph import Architecture
from gennas.search import Archive, Objective, Objectives, Search
from gennas.search.strategies import RegularizedEvolution
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import MacroChain
from gennas.testing.evaluators import FailingEvaluator, SyntheticEvaluator

__all__ = ["ExecutorContract", "FlakyExecutor", "UnevenEvaluator", "check_same_archive"]


class FlakyExecutor(SerialExecutor):
    """Loses some trials on purpose and returns the others in an odd order.

    Args:
        evaluator: what scores the proposals.
        lose_every: one in this many proposals, by number, comes back ``lost``; 0: none.
        seed: seed of the order in which trials finish.
    """

    def __init__(self, evaluator: Evaluator, lose_every: int = 4, seed: int = 0) -> None:
        super().__init__(evaluator)
        self.capacity = 8
        self.lose_every, self._rng = lose_every, np.random.default_rng(seed)

    def wait_any(self) -> Trial:
        """Finish a random queued proposal."""
        self._queue.rotate(int(self._rng.integers(len(self._queue))))
        trial = super().wait_any()
        if self.lose_every and trial.proposal.id % self.lose_every == 0:
            return replace(trial, status="lost", metrics={}, error="lost on purpose")
        return trial


class UnevenEvaluator(SyntheticEvaluator):
    """Takes up to 20 ms, so that trials finish in another order than they began."""

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Evaluate, late."""
        time.sleep(int(arch.key, 16) % 5 * 0.005)
        return {**super().evaluate(arch, fidelity, seed), "size": float(seed % 1000)}


def check_same_archive(executor: Executor, evaluator: Evaluator) -> None:
    """Check that a search over an executor ends in the archive of the serial run, with the budget spent once.

    Args:
        executor: it evaluates with ``evaluator``.
        evaluator: of architectures of :class:`gennas.spaces.MacroChain`.

    Raises:
        AssertionError: it does not.
    """
    space, goals = MacroChain(), Objectives((Objective("score"),))

    def records(by: Executor) -> list[tuple[object, ...]]:
        strategy = RegularizedEvolution(space, goals, 0, population_size=16, sample_size=4)
        archive = Archive(":memory:", space)
        Search(strategy, by, archive, goals, 24).run()
        return [(t.proposal.id, t.arch.key, t.proposal.seed, t.status, dict(t.metrics)) for t in archive.trials()]

    found, expected = records(executor), records(SerialExecutor(evaluator))
    assert found == expected and len(found) == 24


class ExecutorContract(ABC):
    """What every executor does; subclass it in a test module and give :meth:`make`."""

    @abstractmethod
    def make(self, evaluator: Evaluator) -> Executor:
        """Return an executor for ``evaluator``."""

    @contextmanager
    def _running(self, evaluator: Evaluator) -> Iterator[Executor]:
        executor = self.make(evaluator)
        try:
            yield executor
        finally:
            executor.close()

    def _proposals(self, n: int) -> list[Proposal]:
        archs = MacroChain().sample(n, np.random.default_rng(0)).unique()
        return [Proposal(arch, Origin("test"), id=i, seed=i) for i, arch in enumerate(archs)]

    def test_every_proposal_comes_back_once_with_its_own_values(self) -> None:
        """Nothing is lost, repeated or mixed up."""
        evaluator, proposals = SyntheticEvaluator(MacroChain().schema), self._proposals(12)
        with self._running(evaluator) as executor:
            for proposal in proposals:
                executor.submit(proposal)
            trials = sorted((executor.wait_any() for _ in proposals), key=lambda t: t.proposal.id)
        for proposal, trial in zip(proposals, trials, strict=True):
            assert trial.ok and trial.arch == proposal.arch
            assert dict(trial.metrics) == dict(evaluator.evaluate(proposal.arch, proposal.fidelity, proposal.seed))
            assert trial.cost["seconds"] >= 0

    def test_failures_end_one_trial_only(self) -> None:
        """Raising, NaN, a missing metric and running out of memory are recorded with their reason."""
        reasons = {"raise": "RuntimeError", "nan": "score", "missing": "score", "memory": "out of memory"}
        for failure, reason in reasons.items():
            inner = SyntheticEvaluator(MacroChain().schema)
            evaluator = FailingEvaluator(inner, failure, every=2)  # type: ignore[arg-type]
            proposals = self._proposals(6)
            with self._running(evaluator) as executor:
                for proposal in proposals:
                    executor.submit(proposal)
                trials = [executor.wait_any() for _ in proposals]
            for trial in trials:
                expected = "failed" if evaluator.fails(trial.arch) else "ok"
                assert trial.status == expected, (failure, trial)
                assert trial.ok or (reason in trial.error and not trial.metrics)
            assert {t.status for t in trials} == {"ok", "failed"}

    def test_a_search_ends_in_the_archive_of_the_serial_run(self) -> None:
        """However many workers there are, and in whichever order they finish."""
        evaluator = UnevenEvaluator(MacroChain().schema)
        with self._running(evaluator) as executor:
            check_same_archive(executor, evaluator)
