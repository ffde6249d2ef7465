"""The script that asks whether architectures differ more than seeds do."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "spread_of_spaces"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("spread_of_spaces", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("spread_of_spaces", loader))
    sys.modules["spread_of_spaces"] = module
    loader.exec_module(module)
    return module


def test_components_of_variance(script: ModuleType) -> None:
    """By hand: pairs that differ by 2 have a variance of 2, half of which is in the variance of their means."""
    by_seed, by_arch = script.components(np.array([[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]]))
    assert by_seed == pytest.approx(2**0.5) and by_arch == pytest.approx((16 - 1) ** 0.5)
    assert script.components(np.array([[0.0, 2.0], [2.0, 0.0]]))[1] == 0.0


@pytest.mark.slow
def test_it_prints_a_row_and_goes_on_from_its_file(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--fields", "vit", "--archs", "3", "--epochs", "1", "--first-seed", "4", "--workers", "1"]
    words += ["--out", str(tmp_path / "spread.csv")]
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=True)
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    script.main()
    assert done.stdout == capsys.readouterr().out  # with the CPU time of the first run
    row = [cell.strip() for cell in done.stdout.splitlines()[-1].strip("|").split("|")]
    assert row[:3] == ["vit", "`autoformer-tiny`", "`digits`"]
    assert row[3:6] == ["epochs=1, batch_size=64, lr=0.002", "3 × 2", "4, 5"]
    assert float(row[-1]) > 0
    assert len((tmp_path / "spread.csv").read_text().splitlines()) == 1 + 6


def test_a_row_states_the_recipe_that_is_used(script: ModuleType) -> None:
    """The field's epochs unless others are asked for, and the task's where the field says nothing."""
    assert script.recipe_of("vit", 0) == f"epochs={script.FIELDS['vit'].recipe['epochs']}, batch_size=64, lr=0.002"
    assert script.recipe_of("gnn", 0) == "epochs=20"


def test_one_seed_has_no_spread(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--seeds", "1"])
    with pytest.raises(SystemExit) as end:
        script.main()
    assert end.value.code == 2 and "expected at least 2, got 1" in capsys.readouterr().err
