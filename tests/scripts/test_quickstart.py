"""The main job runs from start to end without a network, and trains what its generator proposed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gennas import open_run
from gennas.spaces import NASBench201
from gennas.training import read_note

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the scripts and an environment in which gennas is installed already."""
    (tmp_path / "scripts").mkdir()
    for name in ("quickstart", "_environment.sh"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    program = tmp_path / ".venv" / "bin" / "gennas"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gennas "$@"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.mark.slow
def test_the_proposal_of_the_generator_is_trained(checkout: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(SCRIPTS.parent), "COLUMNS": "80"}
    done = subprocess.run(
        [checkout / "scripts" / "quickstart", "out"], cwd="/", capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = checkout / "out"
    assert len(open_run(out / "cora").trials()) == 100 and (out / "cora" / "report.html").exists()
    trials = open_run(out / "digits").trials()
    assert trials["source"].tolist() == ["random"] * 3 + ["diffusion"] * 3 and trials["val_accuracy"].min() > 0.5
    proposals = [json.loads(line) for line in (out / "digits" / "proposals.jsonl").read_text().splitlines()]
    new = [p for p in proposals if not p["known"]]
    assert {p["key"] for p in proposals if p["known"]} <= set(trials["key"])
    assert new and not {p["key"] for p in new} & set(trials["key"])
    trained = read_note(out / "digits" / "proposal.safetensors")["arch"]
    assert NASBench201().from_text(trained).key == new[0]["key"] and trained in done.stdout
