"""The serial executor."""

from __future__ import annotations

import time

import numpy as np

from gennas.eval.base import Evaluator
from gennas.execution import Executor, SerialExecutor
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
from gennas.testing import ExecutorContract, FailingEvaluator, SyntheticEvaluator


class TestSerial(ExecutorContract):
    def make(self, evaluator: Evaluator) -> Executor:
        return SerialExecutor(evaluator)


def test_time_limit() -> None:
    space = NASBench201()
    executor = SerialExecutor(FailingEvaluator(SyntheticEvaluator(space.schema), "hang", every=1), time_limit=0.3)
    executor.submit(Proposal(space.sample(1, np.random.default_rng(0))[0], Origin("test")))
    start = time.monotonic()
    trial = executor.wait_any()
    assert trial.status == "timeout" and "0.3 s" in trial.error and trial.cost == {"seconds": 0.3}
    assert time.monotonic() - start < 5
