"""``gennas.testing`` in an environment without pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gennas.testing

WITHOUT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pytest", "_pytest"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
import numpy as np
from gennas.eval.base import Fidelity
from gennas.execution import SerialExecutor
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
import gennas.testing
from gennas.testing import FailingEvaluator, FlakyExecutor, SpaceContract, SyntheticEvaluator, example_trials

space = NASBench201()
good = SyntheticEvaluator(space.schema)
bad = FailingEvaluator(good, "raise", every=1)
arch = space.sample(1, np.random.default_rng(0))[0]
for executor in (SerialExecutor(good), SerialExecutor(bad), FlakyExecutor(good, lose_every=1)):
    executor.submit(Proposal(arch, Origin("test")))
    print(executor.wait_any().status)
print(len(example_trials(space, 3)), "pytest" in sys.modules)
try:
    gennas.testing.GeneratorContract
except ModuleNotFoundError as error:
    print(error)
"""


def test_doubles_work_without_pytest() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *statuses, doubles, contract = done.stdout.splitlines()
    assert statuses == ["ok", "failed", "lost"]
    assert doubles == "3 False" and contract == "No module named 'pytest'"


def test_every_public_name_is_there() -> None:
    assert all(hasattr(gennas.testing, name) for name in gennas.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        gennas.testing.Nothing  # noqa: B018
