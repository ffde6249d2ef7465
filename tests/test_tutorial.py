"""The tutorial runs as it stands: a search, a report, a tracked run, an exported network."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gennas.workbench.directory import read_config

SCRIPT = Path(__file__).parents[1] / "docs" / "tutorial.py"


def test_it_is_short() -> None:
    lines = SCRIPT.read_text().splitlines()
    assert len(lines) <= 40 and sum(line.startswith("# %%") for line in lines) >= 4
    assert max(map(len, lines)) <= 120


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1]), "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out = tmp_path / "runs" / "sides"
    assert read_config(out).budget == 16 and (out / "report.html").exists()
    assert list((out / "wandb").glob("offline-run-*")) and "Run(widths, generative: 16 evaluations" in done.stdout
    assert "diffusion" in done.stdout and float(done.stdout.splitlines()[-1]) > 0.75
    spec = importlib.util.spec_from_file_location("net", out / "net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.Network()
    net.load_state_dict(load_file(out / "net.safetensors"))
    assert net(torch.zeros(3, 1, 8, 8)).shape == (3, 2)
