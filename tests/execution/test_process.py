"""The process executor: crashes, hangs and memory end one trial, not the search."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Evaluator, Fidelity
from gennas.execution import Executor, ProcessExecutor, SerialExecutor
from gennas.registry import import_object
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


def test_a_file_of_the_user_that_no_trial_needs_may_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "needed_by_nobody.py"
    file.write_text("class Mine:\n    pass\n")
    import_object(f"{file}:Mine")
    name = "_gennas_user_needed_by_nobody"
    monkeypatch.setitem(sys.modules, name, sys.modules.pop(name))  # forgotten after this test
    file.write_text("raise ImportError('gone')\n")
    with running(ProcessExecutor(INNER, workers=1)) as executor:
        executor.submit(proposals(1)[0])
        assert executor.wait_any().ok


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

    with pytest.raises(ConfigError, match="top level"):
        ProcessExecutor(Local(SPACE.schema))


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


_DRIVER = """
import os
import numpy as np
from gennas.execution import ProcessExecutor
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
from gennas.testing import FailingEvaluator, SyntheticEvaluator
if __name__ == "__main__":
    space = NASBench201()
    executor = ProcessExecutor(FailingEvaluator(SyntheticEvaluator(space.schema), "hang", every=1), workers=1)
    executor.submit(Proposal(space.sample(1, np.random.default_rng(0))[0], Origin("test")))
    print(executor._workers[0].process.pid, flush=True)
    executor.wait_any()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_when_the_driver_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(_DRIVER)
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker = int(driver.stdout.readline())
    time.sleep(3)  # let the worker start its trial
    os.kill(worker, 0)  # alive
    driver.kill()
    driver.wait()
    for _ in range(100):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its driver by ten seconds")


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie that nobody waited for."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


class Parental(SyntheticEvaluator):
    """Starts a process of its own, notes its id, and hangs."""

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(os.environ["CHILD_NOTE"]).write_text(str(child.pid))
        time.sleep(60)
        return super().evaluate(arch, fidelity, seed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_a_trial_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHILD_NOTE", str(tmp_path / "pid"))
    with running(ProcessExecutor(Parental(SPACE.schema), workers=1, time_limit=2.0)) as executor:
        executor.submit(proposals(1)[0])
        assert executor.wait_any().status == "timeout"
    child = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    end = time.monotonic() + 10
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] not in "ZX" and time.monotonic() < end:
        time.sleep(0.02)
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] in "ZX"
