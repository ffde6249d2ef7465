"""What a worker of another engine does with a trial."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gennas.execution import remote
from gennas.execution.lease import Lease
from gennas.execution.parcel import Parcel, packed
from gennas.execution.remote import UNOPENED, end_children, evaluate
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator

SPACE = NASBench201()
EVALUATOR = SyntheticEvaluator(SPACE.schema)
ARCH = SPACE.sample(1, np.random.default_rng(0))[0]
PROPOSAL = pickle.dumps(Proposal(ARCH, Origin("test")))


def test_a_worker_asks_for_a_parcel_once_and_keeps_a_few() -> None:
    parcel = packed(EVALUATOR, isolated=False)
    assert evaluate(parcel.digest, PROPOSAL).status == UNOPENED
    first = evaluate(parcel.digest, PROPOSAL, parcel)
    assert first.status == "ok" and first.metrics == dict(EVALUATOR.evaluate(ARCH, None, 0))  # type: ignore[arg-type]
    assert evaluate(parcel.digest, PROPOSAL).metrics == first.metrics
    for i in range(4):
        evaluate(f"other {i}", PROPOSAL, replace(parcel, digest=f"other {i}"))
    assert evaluate(parcel.digest, PROPOSAL).status == UNOPENED, "it was forgotten for newer ones"
    for i in range(4):
        end_children(f"other {i}")
    assert not remote._parcels and not remote._evaluators


def test_what_cannot_be_opened_fails() -> None:
    outcome = evaluate("broken", PROPOSAL, Parcel("broken", b"cno_such_module\nThing\n.", isolated=False))
    assert outcome.status == "failed" and "No module named 'no_such_module'" in outcome.error
    end_children("broken")


@pytest.mark.skipif(sys.platform != "linux", reason="POSIX locks")
def test_a_trial_that_outlived_its_driver_does_not_begin() -> None:
    code = "from gennas.execution.lease import Lease; import os; print(repr(Lease().sign), flush=True); os._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    from gennas.execution.lease import Sign

    sign = eval(done.stdout, {"Sign": Sign})
    for isolated in (True, False):
        parcel = packed(EVALUATOR, isolated=isolated, lease=sign)
        outcome = evaluate(parcel.digest, PROPOSAL, parcel)
        assert (outcome.status, outcome.error) == ("lost", "the driver has ended")
        end_children(parcel.digest)
    Path(sign.path).unlink()
    lease = Lease()
    parcel = packed(EVALUATOR, isolated=False, lease=lease.sign)
    assert evaluate(parcel.digest, PROPOSAL, parcel).status == "ok"
    lease.end()
    end_children(parcel.digest)
