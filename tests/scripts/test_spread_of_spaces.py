from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "spread_of_spaces"


def test_components_of_variance() -> None:
    """By hand: pairs that differ by 2 have a variance of 2, half of which is in the variance of their means."""
    loader = importlib.machinery.SourceFileLoader("spread_of_spaces", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("spread_of_spaces", loader))
    sys.modules["spread_of_spaces"] = module
    loader.exec_module(module)
    by_seed, by_arch = module.components(np.array([[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]]))
    assert by_seed == pytest.approx(2**0.5) and by_arch == pytest.approx((16 - 1) ** 0.5)
    assert module.components(np.array([[0.0, 2.0], [2.0, 0.0]]))[1] == 0.0


@pytest.mark.slow
def test_it_prints_a_row_and_goes_on_from_its_file(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--fields", "vit", "--archs", "3", "--epochs", "1"]
    command += ["--first-seed", "4", "--workers", "1", "--out", str(tmp_path / "spread.csv")]
    done = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert done[0].stdout == done[1].stdout  # with the CPU time of the first run
    row = [cell.strip() for cell in done[0].stdout.splitlines()[-1].strip("|").split("|")]
    assert row[:3] == ["vit", "`autoformer-tiny`", "`digits`"]
    assert row[3:6] == ["epochs=1, batch_size=64", "3 × 2", "4, 5"]
    assert float(row[-1]) > 0
    assert len((tmp_path / "spread.csv").read_text().splitlines()) == 1 + 6


def test_one_seed_has_no_spread() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--seeds", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "expected at least 2, got 1" in done.stderr
