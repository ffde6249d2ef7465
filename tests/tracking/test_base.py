"""Trackers: order of calls live and replayed, and failures that do not stop the search."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.eval.base import Fidelity, Metric
from gennas.execution.serial import SerialExecutor
from gennas.graph import Architecture
from gennas.search.archive import Archive
from gennas.search.loop import Search
from gennas.search.objectives import Objective, Objectives
from gennas.search.strategies.local.random import RandomSearch
from gennas.search.trial import Trial
from gennas.tracking.base import NullTracker, RunInfo, SafeTracker, Tracker, replay

from gennas.spaces.nasbench201.space import NASBench201  # isort: skip


class Recorder:
    """Keeps every call as a comparable value."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def start(self, info: RunInfo) -> None:
        self.calls.append(("start", info.config_hash))

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        self.calls.append(
            ("trial", trial.proposal.id, n_evals, incumbent and incumbent.proposal.id, dict(trial.metrics))
        )

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        self.calls.append(("round", n_evals, dict(record)))

    def finish(self, summary: Mapping[str, Any]) -> None:
        self.calls.append(("finish", dict(summary)))


class Broken(NullTracker):
    def __init__(self) -> None:
        self.calls = 0

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        self.calls += 1
        raise ConnectionError("server is away")


def test_replay_tells_trials_rounds_and_the_incumbent_in_order(trials: list[Trial], info: RunInfo) -> None:
    recorder = Recorder()
    rounds = [{"n_evals": 2.0, "validity": 1.0}, {"n_evals": 4.0, "validity": 0.5}]
    replay(recorder, trials, rounds, info, {"best": 0.9})
    assert [call[:4] for call in recorder.calls if call[0] == "trial"] == [
        ("trial", 0, 1, 0),
        ("trial", 1, 2, 0),
        ("trial", 2, 3, 2),
        ("trial", 3, 4, 2),
        ("trial", 4, 5, 4),
    ]
    assert [call[0] for call in recorder.calls] == [
        "start", "trial", "trial", "round", "trial", "trial", "round", "trial", "finish"
    ]  # fmt: skip
    assert recorder.calls[3] == ("round", 2, {"validity": 1.0})
    assert recorder.calls[-1] == ("finish", {"best": 0.9})


class _Counting:
    """A real evaluator: the number of 3x3 convolutions; refuses cells without any."""

    metrics: Mapping[str, Metric] = {"val": Metric("val", "max")}
    cost_class = "expensive"
    protocol = "convolutions"

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> dict[str, float]:
        convolutions = int((arch.edges == 3).sum())
        if not convolutions:
            raise ValueError("no convolution")
        return {"val": float(convolutions)}


class _WithRounds(RandomSearch):
    def records(self) -> dict[str, float]:
        return {"validity": 1.0, "n_seen": float(len(self.seen))}


def test_a_replayed_archive_equals_the_live_calls(tmp_path: Path, info: RunInfo) -> None:
    space, goals, live, again = NASBench201(), Objectives((Objective("val"),)), Recorder(), Recorder()
    archive = Archive(tmp_path / "archive.sqlite", space)
    strategy = _WithRounds(space, goals, seed=1)
    search = Search(strategy, SerialExecutor(_Counting()), archive, goals, budget=12, listeners=[live])  # type: ignore[arg-type]
    live.start(info)
    search.run()
    live.finish({"n_evals": 12})
    replay(again, archive.trials(), archive.rounds(), info, {"n_evals": 12})
    assert len([call for call in live.calls if call[0] == "trial"]) == 12
    assert any(call[0] == "round" for call in live.calls)
    assert again.calls == live.calls


def test_a_failing_tracker_warns_once_with_the_reason(trials: list[Trial], info: RunInfo) -> None:
    broken = Broken()
    safe = SafeTracker(broken)
    with pytest.warns(
        RuntimeWarning, match="Tracking stopped .ConnectionError: server is away.*search goes on"
    ) as caught:
        replay(safe, trials, [], info, {})
    assert len(caught) == 1
    assert broken.calls == 1
    assert safe.failed


def test_a_tracker_that_works_is_passed_everything(trials: list[Trial], info: RunInfo) -> None:
    plain, wrapped = Recorder(), Recorder()
    rounds = [{"n_evals": 5, "novelty": float(np.float32(0.5))}]
    replay(plain, trials, rounds, info, {"a": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        replay(SafeTracker(wrapped), trials, rounds, info, {"a": 1})
    assert wrapped.calls == plain.calls


def test_interrupts_are_not_swallowed(info: RunInfo) -> None:
    class Interrupted(NullTracker):
        def start(self, info: RunInfo) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SafeTracker(Interrupted()).start(info)


@pytest.mark.parametrize("tracker", [NullTracker(), Recorder(), SafeTracker(NullTracker())])
def test_trackers_satisfy_the_protocol(tracker: object) -> None:
    assert isinstance(tracker, Tracker)
