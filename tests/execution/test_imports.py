"""Imports and the clock of a trial: a subprocess with a module that takes longer to import than the limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gennas.execution.imports import is_importing, modules_named_in, warm_up

SCRIPT = """
import sys
import numpy as np
from gennas.eval.own import own_evaluator
from gennas.eval.base import Metric
from gennas.execution import ProcessExecutor, SerialExecutor
from gennas.registry import import_object
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201

if __name__ == "__main__":
    space = NASBench201()
    function = import_object(sys.argv[1] + ":score")
    evaluator = own_evaluator(function, {}, space, {"score": Metric("score", "max")})
    executor = {"serial": SerialExecutor, "process": ProcessExecutor}[sys.argv[2]](evaluator, time_limit=TIMELIMIT)
    for i, arch in enumerate(space.sample(3, np.random.default_rng(0))):
        executor.submit(Proposal(arch, Origin("test"), id=i))
        trial = executor.wait_any()
        print(trial.status, trial.metrics.get("score"), trial.error)
    executor.close()
"""

SLOW = "import time\n\nfor _ in range(30):\n    time.sleep(0.05)\nVALUE = 7\n"


def trials(folder: Path, function: str, executor: str, time_limit: float) -> list[str]:
    """What three trials ended as; ``slow_module`` takes 1.5 s to import."""
    (folder / "slow_module.py").write_text(SLOW)
    (folder / "mine.py").write_text(function)
    (folder / "main.py").write_text(SCRIPT.replace("TIMELIMIT", str(time_limit)))
    done = subprocess.run(
        [sys.executable, "main.py", "mine.py", executor],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("executor", ["serial", "process"])
@pytest.mark.parametrize(
    "function",
    [
        "def score(arch):\n    import slow_module\n    return slow_module.VALUE\n",
        "def helper():\n    from slow_module import VALUE\n    return VALUE\n\ndef score(arch):\n    return helper()\n",
    ],
)
def test_what_the_evaluator_imports_is_there_before_the_clock_starts(
    function: str, executor: str, tmp_path: Path
) -> None:
    assert trials(tmp_path, function, executor, 0.5) == ["ok 7.0 "] * 3


def test_an_import_that_nobody_could_foresee_is_not_cut_in_two(tmp_path: Path) -> None:
    """Named by a text only; the trial then has its whole time."""
    function = "def score(arch):\n    import importlib\n    return importlib.import_module('slow_' + 'module').VALUE\n"
    assert trials(tmp_path, function, "serial", 0.5) == ["ok 7.0 "] * 3


def test_the_limit_holds_after_an_import_too(tmp_path: Path) -> None:
    function = (
        "import time\n\ndef score(arch):\n    import importlib\n    importlib.import_module('slow_' + 'module')\n"
        "    time.sleep(30)\n"
    )
    assert trials(tmp_path, function, "serial", 0.3) == ["timeout None exceeded the time limit of 0.3 s"] * 3


def test_the_real_thing(tmp_path: Path) -> None:
    """PyTorch takes longer to import than half a second, and its optimizers import more."""
    function = (
        "def score(arch):\n    import torch\n    weight = torch.nn.Parameter(torch.ones(1))\n"
        "    optimizer = torch.optim.SGD([weight], lr=0.5)\n    (weight ** 2).sum().backward()\n    optimizer.step()\n"
        "    return float(weight)\n"
    )
    for executor in ("serial", "process"):
        assert trials(tmp_path, function, executor, 0.5) == ["ok 0.0 "] * 3


TRAINING = """
import sys
import numpy as np
from gennas.eval.base import Fidelity
from gennas.execution.imports import warm_up
from gennas.spaces import NASBench201
from gennas.training import TrainEvaluator, make_task

space = NASBench201(num_cells=1, width=4)
evaluator = TrainEvaluator(space, make_task("digits"), measure=["corruptions"])
assert "torch._dynamo" not in sys.modules and "torchvision" not in sys.modules and "sklearn.datasets" not in sys.modules
warm_up(evaluator)
before = set(sys.modules)
evaluator.evaluate(space.sample(1, np.random.default_rng(0))[0], Fidelity(epochs=1, data_fraction=0.1), 0)
new = set(sys.modules) - before
print(len(new), sorted({name.partition(".")[0] for name in new} - {"PIL", "sklearn"}))
"""


def test_a_training_has_its_libraries_too() -> None:
    """Data of scikit-learn, plug-ins of Pillow, and otherwise nothing is left to the first training."""
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, timeout=120, check=True)
    count, others = done.stdout.split(" ", 1)
    assert int(count) < 20 and others.strip() == "[]"


def test_imports_for_types_are_not_made_and_missing_ones_are_left_to_the_trial(tmp_path: Path) -> None:
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\nelse:\n    import json\n"
        "class A:\n    def f(self):\n        try:\n            from .b import c\n        except ImportError:\n"
        "            import no_such_module_here\n"
    )
    found = [name for name, _ in modules_named_in(source, "pack")]
    assert sorted(found) == ["json", "no_such_module_here", "pack.b", "typing"]
    assert [name for name, _ in modules_named_in("from . import x")] == []
    warm_up(object())
    assert not is_importing(sys._getframe())
