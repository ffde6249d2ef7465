"""The futures executor over pools of the standard library and of loky; dask has a file of its own."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Evaluator
from gennas.execution import Executor, FuturesExecutor, ProcessExecutor
from gennas.search import Origin, Proposal
from gennas.spaces import MacroChain, NASBench201
from gennas.testing import (
    ExecutorContract,
    FailingEvaluator,
    NotingEvaluator,
    SyntheticEvaluator,
    UnevenEvaluator,
    check_same_archive,
)

SPACE = NASBench201()
INNER = SyntheticEvaluator(SPACE.schema)


def threads(size: int = 2) -> Pool:
    return ThreadPoolExecutor(size)


def spawned(size: int = 2) -> Pool:
    return ProcessPoolExecutor(size, mp_context=mp.get_context("spawn"))


def loky_pool(size: int = 2) -> Pool:
    loky = pytest.importorskip("loky")
    pool: Pool = loky.ProcessPoolExecutor(size)
    return pool


def proposals(n: int) -> list[Proposal]:
    archs = SPACE.sample(n, np.random.default_rng(1)).unique()
    return [Proposal(arch, Origin("test"), id=i) for i, arch in enumerate(archs)]


class TestThreads(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return FuturesExecutor(evaluator, threads, isolated=False)


class TestIsolatedBelowThreads(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return FuturesExecutor(evaluator, threads)


class TestProcessPool(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return FuturesExecutor(evaluator, spawned, isolated=False)


class TestLoky(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return FuturesExecutor(evaluator, loky_pool, isolated=False)


@pytest.mark.parametrize("workers", [1, 4, 16])
@pytest.mark.parametrize("pool", ["threads", "spawned", "loky", "process"])
def test_the_archive_is_that_of_the_serial_run(pool: str, workers: int) -> None:
    evaluator = UnevenEvaluator(MacroChain().schema)
    if pool == "process":
        executor: Executor = ProcessExecutor(evaluator, workers)
    else:
        factory = {"threads": threads, "spawned": spawned, "loky": loky_pool}[pool]
        size = workers if pool == "threads" else min(workers, 2)  # sixteen trials in the pool all the same
        executor = FuturesExecutor(evaluator, lambda: factory(size), workers, isolated=False)
    with closing(executor):
        check_same_archive(executor, evaluator)


@pytest.mark.parametrize(("failure", "status", "reason"), [("die", "lost", "17"), ("hang", "timeout", "1 s")])
def test_isolated_trials_end_alone_and_the_pool_lives(failure, status: str, reason: str) -> None:
    evaluator, made = FailingEvaluator(INNER, failure, every=4), []

    def factory() -> Pool:
        made.append(threads())
        return made[-1]

    todo = proposals(8)
    assert 0 < sum(evaluator.fails(p.arch) for p in todo) < 8
    with closing(FuturesExecutor(evaluator, factory, time_limit=1.0)) as executor:
        for proposal in todo:
            executor.submit(proposal)
        trials = [executor.wait_any() for _ in todo]
    for trial in trials:
        assert trial.status == (status if evaluator.fails(trial.arch) else "ok"), trial
        assert trial.ok or reason in trial.error
    assert len(made) == 1


@pytest.mark.parametrize("factory", [spawned, loky_pool])
def test_a_pool_that_breaks_is_made_anew_and_the_one_that_breaks_it_is_lost(factory: Callable[[], Pool]) -> None:
    evaluator = FailingEvaluator(INNER, "die", every=4)
    todo = proposals(8)
    with closing(FuturesExecutor(evaluator, factory, workers=3, isolated=False)) as executor:
        for proposal in todo:
            executor.submit(proposal)
        trials = [executor.wait_any() for _ in todo]
    assert sorted(t.proposal.id for t in trials) == list(range(8))
    for trial in trials:
        assert trial.status == ("lost" if evaluator.fails(trial.arch) else "ok"), trial
        assert trial.ok or "worker went away" in trial.error


def test_a_killed_worker_of_a_pool_loses_no_trial(tmp_path: Path) -> None:
    evaluator = NotingEvaluator(SPACE.schema, tmp_path / "note", 1.0)
    with closing(FuturesExecutor(evaluator, spawned)) as executor:
        executor.submit(proposals(1)[0])
        (_, worker, _), *_ = evaluator.noted()
        os.kill(worker, signal.SIGKILL)
        trial = executor.wait_any()
    assert trial.ok, trial
    assert len(evaluator.noted()) == 2


def test_a_pool_that_was_given_is_left_alone_and_cannot_be_made_anew() -> None:
    evaluator = FailingEvaluator(INNER, "die", every=1)
    with spawned(1) as pool, closing(FuturesExecutor(evaluator, pool, isolated=False)) as executor:
        executor.submit(proposals(1)[0])
        assert executor.wait_any().status == "lost"
    with threads() as pool:
        with closing(FuturesExecutor(INNER, pool, isolated=False)) as executor:
            executor.submit(proposals(1)[0])
            assert executor.wait_any().ok
        assert pool.submit(int, "3").result() == 3


def test_what_is_pending_is_cancelled_and_what_runs_is_ended(tmp_path: Path, mark: str, all_end) -> None:
    evaluator = NotingEvaluator(SPACE.schema, tmp_path / "note", 600.0)
    executor = FuturesExecutor(evaluator, spawned, workers=8)
    for proposal in proposals(8):
        executor.submit(proposal)
    evaluator.noted()
    executor.close()
    assert all_end(mark, 30.0)
    assert len(evaluator.noted()) <= 3, "a pool of two, and one that waits in its pipe"


def test_a_context_manager_of_a_pool_is_left_at_the_end() -> None:
    left = []

    @contextmanager
    def factory() -> Iterator[Pool]:
        with threads() as pool:
            yield pool
        left.append(True)

    with closing(FuturesExecutor(INNER, factory, isolated=False)) as executor:
        executor.submit(proposals(1)[0])
        assert executor.wait_any().ok and not left
    assert left


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="at least one worker"):
        FuturesExecutor(INNER, threads, workers=0)
    with pytest.raises(ConfigError, match="isolated=false"):
        FuturesExecutor(INNER, threads, time_limit=1.0, isolated=False)
    with pytest.raises(ConfigError, match=r"concurrent\.futures\.Executor, got int"):
        FuturesExecutor(INNER, lambda: 3)


_DRIVER = """
import multiprocessing as mp, os, sys, time
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from gennas.execution import FuturesExecutor
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator
def pool():
    return ProcessPoolExecutor(2, mp_context=mp.get_context(sys.argv[1]))
class Endless(SyntheticEvaluator):
    def evaluate(self, *_):
        open(f"{self.notes}/{os.getpid()}", "w").close()
        time.sleep(600)
if __name__ == "__main__":
    space = NASBench201()
    evaluator = Endless(space.schema)
    evaluator.notes = sys.argv[3]
    executor = FuturesExecutor(evaluator, pool, workers=4, isolated=sys.argv[2] == "isolated")
    for i, arch in enumerate(space.sample(4, np.random.default_rng(0))):
        executor.submit(Proposal(arch, Origin("test"), id=i))
    executor.wait_any()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("context", "how"), [("fork", "isolated"), ("spawn", "isolated"), ("spawn", "not")])
def test_a_killed_driver_leaves_nothing_behind(
    tmp_path: Path, mark: str, all_end, running_under, context: str, how: str
) -> None:
    script = tmp_path / "driver.py"
    script.write_text(_DRIVER)
    (notes := tmp_path / "notes").mkdir()
    driver = subprocess.Popen([sys.executable, str(script), context, how, str(notes)])
    end = time.monotonic() + 120
    while len(list(notes.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert len(list(notes.iterdir())) == 2
    assert len(running_under(mark)) >= (5 if how == "isolated" else 3)  # driver, two workers, and one below each
    driver.kill()
    driver.wait()
    assert all_end(mark, 30.0)
