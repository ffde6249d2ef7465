"""One process below a worker: what it says of what goes wrong, and that it ends."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gennas.eval.base import Fidelity
from gennas.execution.child import Child
from gennas.execution.lease import Lease
from gennas.execution.parcel import Parcel, packed
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SPACE = NASBench201()
PROPOSAL = pickle.dumps(Proposal(SPACE.sample(1, np.random.default_rng(0))[0], Origin("test")))


class Talking(SyntheticEvaluator):
    """Writes to its log and raises, the first time in each process; says in ``size`` which process it is."""

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        if not hasattr(Talking, "spoke"):
            Talking.spoke = True
            for i in range(20):
                print(f"line {i}", file=sys.stderr)
            print(f"the key is {os.environ['MY_API_KEY']}", file=sys.stderr)
            raise RuntimeError("on purpose")
        return {**super().evaluate(arch, fidelity, seed), "size": float(os.getpid())}


@contextmanager
def child_of(parcel: Parcel) -> Iterator[Child]:
    child = Child(parcel)
    try:
        yield child
    finally:
        child.end()


def test_the_last_lines_of_a_failure_come_without_secrets_and_the_process_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-0123456789")
    with child_of(packed(Talking(SPACE.schema))) as child:
        failed, first, second = (child.run(PROPOSAL) for _ in range(3))
        assert child.lives
    assert failed.status == "failed" and failed.error.startswith("RuntimeError: on purpose")
    assert failed.log.endswith("line 18 / line 19 / the key is (hidden)") and "line 3 " not in failed.log
    assert first.status == second.status == "ok" and first.metrics == second.metrics and not first.log
    assert "line 0" in capsys.readouterr().err, "it is passed on as well"
    assert not child.lives and not Path(f"/proc/{int(first.metrics['size'])}").exists()


def test_an_evaluator_that_cannot_be_made_there_is_a_failure_with_its_reason() -> None:
    with child_of(Parcel("x", b"cno_such_module\nThing\n.")) as child:
        outcome = child.run(PROPOSAL)
    assert outcome.status == "failed"
    assert "cannot be made in the worker: ModuleNotFoundError: No module named 'no_such_module'" in outcome.error


def test_it_ends_with_the_lease() -> None:
    lease = Lease()
    parcel = packed(SyntheticEvaluator(SPACE.schema, delay_s=600), lease=lease.sign)
    with child_of(parcel) as child:
        lease.end()
        start = time.monotonic()
        outcome = child.run(PROPOSAL)
    assert outcome.status == "lost" and outcome.error == "the driver has ended"
    assert time.monotonic() - start < 60
