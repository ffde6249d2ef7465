"""The futures executor over a real local dask cluster."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.eval.base import Evaluator
from gennas.execution import Executor, FuturesExecutor
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

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.ray  # run with the engines' tests

SPACE = NASBench201()
INNER = SyntheticEvaluator(SPACE.schema)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes of eight threads."""
    with distributed.Client(
        processes=True, n_workers=2, threads_per_worker=8, dashboard_address=None, silence_logs=50
    ) as client:
        yield client


def proposals(n: int) -> list[Proposal]:
    archs = SPACE.sample(n, np.random.default_rng(1)).unique()
    return [Proposal(arch, Origin("test"), id=i) for i, arch in enumerate(archs)]


class TestDask(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _client(self, client: Any) -> None:
        self.client = client

    def make(self, evaluator: Evaluator) -> Executor:
        return FuturesExecutor(evaluator, self.client.get_executor)


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_archive_is_that_of_the_serial_run(client: Any, workers: int) -> None:
    evaluator = UnevenEvaluator(MacroChain().schema)
    with closing(FuturesExecutor(evaluator, client.get_executor, workers, isolated=False)) as executor:
        check_same_archive(executor, evaluator)


@pytest.mark.parametrize(("failure", "status", "reason"), [("die", "lost", "17"), ("hang", "timeout", "1 s")])
def test_trials_that_exit_or_hang_end_alone(client: Any, failure, status: str, reason: str) -> None:
    evaluator, todo = FailingEvaluator(INNER, failure, every=4), proposals(8)
    with closing(FuturesExecutor(evaluator, client.get_executor, time_limit=1.0)) as executor:
        for proposal in todo:
            executor.submit(proposal)
        trials = [executor.wait_any() for _ in todo]
    for trial in trials:
        assert trial.status == (status if evaluator.fails(trial.arch) else "ok"), trial
        assert trial.ok or reason in trial.error


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_loses_no_trial_and_nothing_goes_on_after_close(client: Any, tmp_path: Path) -> None:
    evaluator = NotingEvaluator(SPACE.schema, tmp_path / "note", 1.0)
    with closing(FuturesExecutor(evaluator, client.get_executor)) as executor:
        executor.submit(proposals(1)[0])
        (_, worker, _), *_ = evaluator.noted()
        os.kill(worker, signal.SIGKILL)  # dask starts another one and gives it the trial
        assert executor.wait_any().ok
    evaluator = NotingEvaluator(SPACE.schema, tmp_path / "long", 600.0)
    executor = FuturesExecutor(evaluator, client.get_executor, workers=4)
    for proposal in proposals(4):
        executor.submit(proposal)
    children = [child for child, *_ in evaluator.noted()]
    executor.close()
    end = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
