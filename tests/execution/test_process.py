"""The process executor: crashes, hangs and memory end one trial, not the search."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Evaluator, Fidelity
from gennas.execution import Executor, ProcessExecutor, SerialExecutor
from gennas.search import Archive, Objective, Objectives, Origin, Proposal, Search
from gennas.search.strategies import RegularizedEvolution
from gennas.spaces import NASBench201
from gennas.testing import ExecutorContract, FailingEvaluator, SyntheticEvaluator

SPACE = NASBench201()
INNER = SyntheticEvaluator(SPACE.schema)


@contextmanager
def running(executor: ProcessExecutor) -> Iterator[ProcessExecutor]:
    try:
        yield executor
    finally:
        executor.close()


def proposals(n: int) -> list[Proposal]:
    archs = SPACE.sample(n, np.random.default_rng(1)).unique()
    return [Proposal(arch, Origin("test"), id=i) for i, arch in enumerate(archs)]


class TestProcess(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return ProcessExecutor(evaluator, workers=2)


@pytest.mark.parametrize(("failure", "status", "reason"), [("die", "lost", "17"), ("hang", "timeout", "1 s")])
def test_dead_and_hanging_workers_end_their_trial_only(failure, status: str, reason: str) -> None:
    evaluator = FailingEvaluator(INNER, failure, every=4)
    with running(ProcessExecutor(evaluator, workers=2, time_limit=1.0)) as executor:
        todo = proposals(8)
        for proposal in todo:
            executor.submit(proposal)
        trials = [executor.wait_any() for _ in todo]
    assert any(evaluator.fails(p.arch) for p in todo)
    for trial in trials:
        assert trial.status == (status if evaluator.fails(trial.arch) else "ok")
        assert trial.ok or reason in trial.error


class Greedy(SyntheticEvaluator):
    """Asks for four gigabytes."""

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        return {**super().evaluate(arch, fidelity, seed), "size": float(np.ones(2**29).sum())}


@pytest.mark.skipif(sys.platform != "linux", reason="data-segment limits are enforced on Linux")
def test_memory_limit() -> None:
    with running(ProcessExecutor(Greedy(SPACE.schema), workers=1, memory_limit_gb=2.0)) as executor:
        executor.submit(proposals(1)[0])
        trial = executor.wait_any()
    assert trial.status == "failed" and "out of memory" in trial.error


def test_an_evaluator_that_cannot_be_sent_is_named() -> None:
    class Local(SyntheticEvaluator):
        pass

    with running(ProcessExecutor(Local(SPACE.schema))) as executor, pytest.raises(ConfigError, match="top level"):
        executor.submit(proposals(1)[0])


def test_a_search_gives_the_same_archive_as_serial() -> None:
    goals = Objectives((Objective("score"),))

    def run(executor: Executor) -> list[tuple[str, float]]:
        strategy = RegularizedEvolution(SPACE, goals, 0, population_size=10, sample_size=3)
        trials = Search(strategy, executor, Archive(":memory:", SPACE), goals, 30).run().trials
        return [(t.arch.key, t.metrics["score"]) for t in trials]

    with running(ProcessExecutor(INNER, workers=3)) as executor:
        assert run(executor) == run(SerialExecutor(INNER))


def test_workers_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="at least one worker"):
        ProcessExecutor(INNER, workers=0)
