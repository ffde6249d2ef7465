"""Trainings that the loop has ended early: recorded as such, the same on any number of workers and after a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from gennas.eval.base import Fidelity, Measured, Metric
from gennas.eval.stopping import EarlyStopping, StoppedEarlyError, falls_short
from gennas.execution import ProcessExecutor, SerialExecutor
from gennas.graph import Architecture
from gennas.search import Archive, Objective, Objectives, Search
from gennas.search.strategies import RandomSearch, RegularizedEvolution
from gennas.spaces import NASBench201
from gennas.testing import FlakyExecutor

SPACE = NASBench201()
GOALS = Objectives((Objective("score"),))
RULE = EarlyStopping(startup=3, warmup=1)
EPOCHS = 5


class Curves:
    """The share of one operation, approached over five epochs."""

    metrics: ClassVar = {"score": Metric("score", "max")}
    cost_class: Literal["cheap", "expensive"] = "expensive"
    protocol = "curves"
    stops_on = "score"

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        return self.evaluate_until(arch, fidelity, seed, ())

    def evaluate_until(
        self, arch: Architecture, fidelity: Fidelity, seed: int, bars: Sequence[float]
    ) -> Mapping[str, float]:
        noise = np.random.default_rng(seed).normal(0, 0.01, EPOCHS)
        curve: list[float] = []
        for epoch in range(1, EPOCHS + 1):
            curve.append(float(arch.decisions.mean() * epoch / EPOCHS + noise[epoch - 1]))
            if epoch < EPOCHS and falls_short(curve, bars):
                raise StoppedEarlyError(
                    "score", {"score": curve}, bars[epoch - 1], EPOCHS, {"train_joules": 2.0 * epoch}
                )
        return Measured({"score": curve[-1]}, {"score": curve})


class OneByOne(RandomSearch):
    batch_size = 1


def search(strategy: Any = OneByOne, budget: int = 30, archive: Archive | None = None, **options: Any) -> Search:
    executor = options.pop("executor", None) or SerialExecutor(Curves())
    archive = Archive(":memory:", SPACE) if archive is None else archive
    options = {"stopping": RULE, **options}
    return Search(strategy(SPACE, GOALS, seed=0), executor, archive, GOALS, budget, 0, **options)


def outcome(trials: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [
        (t.proposal.id, t.arch.key, t.status, dict(t.metrics), t.error, {k: list(v) for k, v in t.curves.items()})
        for t in trials
    ]


def test_trials_are_ended_by_the_trials_told_before_them() -> None:
    found = search()
    trials = found.run().trials
    whole: list[list[float]] = []
    for t in trials:
        curve, bars = list(t.curves["score"]), RULE.bars(whole)
        assert (t.status == "stopped") == (len(curve) < EPOCHS)  # who is at the end is not ended
        assert len(curve) == EPOCHS or falls_short(curve, bars)
        assert all(not falls_short(curve[:n], bars) for n in range(1, len(curve)))
        assert (dict(t.metrics) == {}) == (t.status == "stopped") and t.proposal.bars == ()
        whole += [curve] if t.ok else []
    statuses = [t.status for t in trials]
    assert statuses[:3] == ["ok"] * 3 and 5 < statuses.count("stopped") < 25
    ended = next(t for t in trials if t.status == "stopped")
    assert ended.error.startswith(f"stopped after epoch {len(ended.curves['score'])} of 5: best score ")
    assert ended.cost["train_joules"] == 2.0 * len(ended.curves["score"]) and ended.cost["seconds"] > 0
    assert outcome(found.archive.trials()) == outcome(trials)
    assert [t.status for t in search(stopping=None).run().trials] == ["ok"] * 30


def test_many_in_a_row_are_no_failures_and_each_is_an_evaluation() -> None:
    class Falling(Curves):
        def evaluate_until(self, arch, fidelity, seed, bars):  # type: ignore[no-untyped-def]
            if bars:
                raise StoppedEarlyError("score", {"score": [0.0]}, bars[0], EPOCHS)
            return Measured({"score": 1.0}, {"score": [1.0] * EPOCHS})

    result = search(budget=60, executor=SerialExecutor(Falling())).run()
    assert [t.status for t in result.trials] == ["ok"] * 3 + ["stopped"] * 57 and result.stopped == "budget"


def test_a_batch_is_not_judged_by_itself() -> None:
    statuses = [t.status for t in search(RandomSearch, 40).run().trials]
    assert statuses[:32] == ["ok"] * 32 and "stopped" in statuses[32:]


@pytest.mark.parametrize("strategy", [OneByOne, RandomSearch, RegularizedEvolution])
def test_workers_and_their_order_change_nothing(strategy: Any) -> None:
    expected = outcome(search(strategy).run().trials)
    workers = ProcessExecutor(Curves(), 2)
    try:
        assert outcome(search(strategy, executor=workers).run().trials) == expected
    finally:
        workers.close()


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("begun", [4, 5, 17])
def test_continuing_equals_not_stopping(asynchronous: bool, begun: int, tmp_path: Path) -> None:
    expected = outcome(search(asynchronous=asynchronous).run().trials)
    for budget in (begun, 30):
        archive = Archive(tmp_path / "a.sqlite", SPACE)
        result = search(budget=budget, archive=archive, asynchronous=asynchronous).run()
        archive.close()
    assert outcome(result.trials) == expected


def test_what_was_in_flight_is_judged_as_when_it_was_asked_for(tmp_path: Path) -> None:
    """Three workers, asynchronous; a kill loses what was in flight, whose bars come from the tells before it."""

    class KilledError(Exception):
        pass

    class Noting(FlakyExecutor):
        bars: dict[int, tuple[float, ...]]

        def submit(self, proposal: Any) -> None:
            self.bars[proposal.id] = proposal.bars
            super().submit(proposal)

        def wait_any(self) -> Any:
            if len(self.bars) >= 15 and self.dies:
                raise KilledError
            return super().wait_any()

    noted = []
    for dies in (True, False):
        executor = Noting(Curves(), seed=1)
        executor.bars, executor.dies = {}, dies
        archive = Archive(tmp_path / "a.sqlite", SPACE)
        with suppress(KilledError):
            search(archive=archive, asynchronous=True, executor=executor).run()
        archive.close()
        noted.append(executor.bars)
    before, after = noted
    again = sorted(set(before) & set(after))
    assert len(again) >= 2
    for number in again:
        np.testing.assert_array_equal(before[number], after[number])


def test_a_persons_points_and_second_attempts_are_trained_to_their_end(tmp_path: Path) -> None:
    worst = SPACE.architecture([0] * 6)
    found = search(budget=30)
    found.run()
    more = search(budget=31, archive=found.archive)
    more.enqueue([worst])
    last = more.run().trials[-1]
    assert last.arch == worst and last.ok and len(last.curves["score"]) == EPOCHS
