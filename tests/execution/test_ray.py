"""The Ray executor on a real local cluster, which the tests start once: every way in which a trial can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Evaluator, Fidelity
from gennas.execution import Executor, RayExecutor
from gennas.search import Origin, Proposal, Trial
from gennas.spaces import MacroChain
from gennas.testing import (
    ExecutorContract,
    FailingEvaluator,
    NotingEvaluator,
    SyntheticEvaluator,
    UnevenEvaluator,
    check_same_archive,
)

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

SPACE = MacroChain()
INNER = SyntheticEvaluator(SPACE.schema)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[str]:
    """Sixteen logical CPUs and two GPUs that are not there; its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    context = ray.init(
        address="local", num_cpus=16, num_gpus=2, object_store_memory=80 * 2**20, include_dashboard=False,
        log_to_driver=False, logging_level="error",
    )  # fmt: skip
    yield context.address_info["address"]
    ray.shutdown()


def proposals(n: int) -> list[Proposal]:
    archs = SPACE.sample(n, np.random.default_rng(1)).unique()
    return [Proposal(arch, Origin("test"), id=i) for i, arch in enumerate(archs)]


def evaluated(evaluator: Evaluator, n: int = 1, **settings: Any) -> list[Trial]:
    with closing(RayExecutor(evaluator, **{"workers": 2, **settings})) as executor:
        for proposal in proposals(n):
            executor.submit(proposal)
        return [executor.wait_any() for _ in range(n)]


class TestRay(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return RayExecutor(evaluator, workers=2)


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_archive_is_that_of_the_serial_run(workers: int) -> None:
    evaluator = UnevenEvaluator(SPACE.schema)
    with closing(RayExecutor(evaluator, workers, isolated=False)) as executor:
        check_same_archive(executor, evaluator)


@pytest.mark.parametrize(("failure", "status", "reason"), [("die", "lost", "17"), ("hang", "timeout", "1 s")])
def test_trials_that_exit_or_hang_end_alone(failure, status: str, reason: str) -> None:
    evaluator = FailingEvaluator(INNER, failure, every=4)
    for trial in evaluated(evaluator, 8, time_limit=1.0):
        assert trial.status == (status if evaluator.fails(trial.arch) else "ok"), trial
        assert trial.ok or reason in trial.error


class Noting(NotingEvaluator):
    """Writes to its log and asks for memory, as it is told."""

    def __init__(self, note: Path, delay_s: float = 0.0, gib: float = 0.0, says: str = "") -> None:
        super().__init__(SPACE.schema, note, delay_s)
        self.gib, self.says = gib, says

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        values = super().evaluate(arch, fidelity, seed)
        if self.says:
            print(self.says, file=sys.stderr)
            raise RuntimeError("on purpose")
        np.zeros(int(self.gib * 2**27))
        return values


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    end = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


@pytest.mark.parametrize(("retries", "status"), [(1, "ok"), (0, "lost")])
def test_a_killed_worker_loses_no_trial(tmp_path: Path, retries: int, status: str) -> None:
    evaluator = Noting(tmp_path / "note", 1.0)
    with closing(RayExecutor(evaluator, 1, retries=retries)) as executor:
        executor.submit(proposals(1)[0])
        (child, worker, _), *_ = evaluator.noted()
        os.kill(worker, signal.SIGKILL)
        trial = executor.wait_any()
    assert trial.status == status, trial
    assert trial.ok or "worker went away" in trial.error
    assert len(evaluator.noted()) == 1 + retries and ends(child)


@pytest.mark.parametrize(("gib", "status", "attempts"), [(3.0, "ok", 2), (8.0, "failed", 2), (1.0, "ok", 1)])
def test_out_of_memory_is_tried_once_more_with_more(tmp_path: Path, gib: float, status: str, attempts: int) -> None:
    evaluator = Noting(tmp_path / "note", gib=gib)
    (trial,) = evaluated(evaluator, memory_limit_gb=2.0, memory_gb=0.1)
    assert trial.status == status, trial
    assert trial.ok or "out of memory" in trial.error
    assert len(evaluator.noted()) == attempts


class Full(Noting):
    """Fails as PyTorch does when a GPU is full."""

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        super().evaluate(arch, fidelity, seed)
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize(("share", "attempts"), [(0.5, 2), (1.0, 1)])
def test_a_full_gpu_is_tried_once_more_where_the_trial_had_a_part_of_it(
    tmp_path: Path, share: float, attempts: int
) -> None:
    evaluator = Full(tmp_path / "note")
    (trial,) = evaluated(evaluator, num_gpus=share, num_cpus=0)
    assert trial.status == "failed" and "CUDA out of memory" in trial.error
    assert len(evaluator.noted()) == attempts


def test_an_error_of_the_user_is_not_tried_again_and_brings_its_log(tmp_path: Path) -> None:
    evaluator = Noting(tmp_path / "note", says="nan in layer 3")
    (trial,) = evaluated(evaluator)
    assert trial.status == "failed" and "RuntimeError: on purpose" in trial.error
    assert "last lines of its log: nan in layer 3" in trial.error and "\n" not in trial.error
    assert len(evaluator.noted()) == 1


def test_each_trial_on_a_gpu_has_a_new_process_and_its_own_gpu(tmp_path: Path) -> None:
    evaluator = Noting(tmp_path / "note", 0.2)
    assert all(trial.ok for trial in evaluated(evaluator, 3, num_gpus=1, num_cpus=0))
    found = evaluator.noted(3)
    assert {gpu for *_, gpu in found} <= {0, 1}
    assert len({child for child, *_ in found}) == len({worker for _, worker, _ in found}) == 3


def test_nothing_goes_on_after_close(tmp_path: Path) -> None:
    evaluator = Noting(tmp_path / "note", 600.0)
    executor = RayExecutor(evaluator, 2)
    for proposal in proposals(4):
        executor.submit(proposal)
    found = evaluator.noted(2)
    executor.close()
    assert ray.is_initialized(), "it was not the executor's"
    assert all(ends(child) for child, *_ in found)
    assert len(evaluator.noted()) == 2


def test_what_no_machine_has_room_for_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"which asks for 1 CPU, 3 GPU\. They have .*16 CPU"):
        RayExecutor(INNER, num_gpus=3)
    with pytest.raises(ConfigError, match="isolated=false"):
        RayExecutor(INNER, time_limit=1.0, isolated=False)
    with closing(RayExecutor(INNER, num_cpus=3, isolated=False)) as executor:
        assert executor.capacity == 5


def test_a_file_of_the_users_travels_to_a_cluster_that_is_joined(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def score(arch):\n    return float(arch.decisions.sum())\n")
    command = "gennas search --space macro-chain --evaluator mine.py:score --strategy random --budget 6 --executor ray"
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "--workers", "2", "--out", "run"],
        cwd=tmp_path, env=os.environ | {"RAY_ADDRESS": cluster, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    from gennas import open_run

    run = open_run(tmp_path / "run", trust=True)
    assert run.result.n_evals == 6 and all(t.ok for t in run.result.trials)
    assert all(t.metrics["score"] == t.arch.decisions.sum() for t in run.result.trials)


_DRIVER = """
import numpy as np
from gennas.execution import RayExecutor
from gennas.search import Origin, Proposal
from gennas.spaces import MacroChain
from gennas.testing import FailingEvaluator, SyntheticEvaluator
if __name__ == "__main__":
    space = MacroChain()
    executor = RayExecutor(FailingEvaluator(SyntheticEvaluator(space.schema), "hang", every=1), workers=2)
    for i, arch in enumerate(space.sample(4, np.random.default_rng(0))):
        executor.submit(Proposal(arch, Origin("test"), id=i))
    executor.wait_any()
"""


def test_a_cluster_of_ours_ends_with_a_killed_driver(tmp_path: Path, mark: str, all_end, running_under) -> None:
    (tmp_path / "driver.py").write_text(_DRIVER)
    driver = subprocess.Popen(
        [sys.executable, str(tmp_path / "driver.py")],
        env={k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    try:
        while not (found := commands(running_under(mark), "gennas.execution.child")) and time.monotonic() < end:
            time.sleep(0.1)
        assert found and commands(running_under(mark), "raylet")
    finally:
        driver.kill()
        driver.wait()
    assert all_end(mark, 60.0)


def commands(pids: list[int], word: str) -> list[int]:
    """Those whose command line has the word."""
    found = []
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            found += [pid] if word in Path(f"/proc/{pid}/cmdline").read_text() else []
    return found
