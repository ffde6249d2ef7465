"""From a worker's plain values to a trial."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gennas.execution.outcome import Outcome, trial_of
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import NASBench201

PROPOSAL = Proposal(NASBench201().sample(1, np.random.default_rng(0))[0], Origin("test"), id=5)


def test_there_and_back() -> None:
    trial = Trial(PROPOSAL, "ok", {"a": 1.0}, {"seconds": 2.0}, "b is missing", {"a": [0.5, 1.0]})
    assert trial_of(Outcome.of(trial), PROPOSAL) == trial


def test_the_log_of_what_failed_is_told() -> None:
    assert trial_of(Outcome("failed", error="E: x", log="a / b"), PROPOSAL).error == (
        "E: x (last lines of its log: a / b)"
    )
    assert trial_of(Outcome("ok", {"a": 1.0}, log="noise"), PROPOSAL).error == ""


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome("failed", error="out of memory: 4 GiB"), True),
        (Outcome("failed", error="OutOfMemoryError: CUDA out of memory. Tried … (at f, line 3)"), True),
        (Outcome("failed", error="AcceleratorError: CUDA out of memory"), True),
        (Outcome("lost", error="the worker process died (exit code -9)", killed=True), True),
        (Outcome("lost", error="the worker process died (exit code 17)"), False),
        (Outcome("failed", error="RuntimeError: I ran out of memory of the past"), False),
        (Outcome("timeout", error="exceeded the time limit of 1 s"), False),
    ],
)
def test_when_more_memory_may_help(outcome: Outcome, expected: bool) -> None:
    assert outcome.out_of_memory is expected


def test_a_machine_that_carries_outcomes_needs_no_numpy() -> None:
    code = "import sys, gennas.execution.remote; print(sorted({'numpy', 'scipy', 'torch', 'ray'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
