"""``gennas transfer``: what the person sees, exit codes, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd


def test_transfer_prints_two_tables_and_writes_all_values(
    chains_run: Path, tmp_path: Path, capsys, run: Callable[..., int]
) -> None:
    out = tmp_path / "t.csv"
    options = ["--top", 2, "--seeds", 1, "--epochs", 1, "--out", out]
    assert run("transfer", chains_run, "--tasks", "digits", *options) == 0
    shown = capsys.readouterr().out
    rows = pd.read_csv(out)
    assert set(rows["group"]) == {"top", "random"} and (rows["status"] == "ok").all()
    assert "mean ± standard deviation over seeds" in shown and "Does rank carry over?" in shown
    assert f"All values: {out}" in shown and all(text in shown for text in rows["arch"])
    best = json.loads((chains_run / "summary.json").read_text())["best"]["text"]
    assert best in set(rows[rows["group"] == "top"]["arch"])


def test_transfer_complains(chains_run: Path, tmp_path: Path, capsys, error_of: Callable[..., str]) -> None:
    assert "Did you mean digits" in error_of("transfer", chains_run, "--tasks", "digitz")
    assert "config.yaml" in error_of("transfer", tmp_path, "--tasks", "digits")
    quick = ["--tasks", "digits", "--top", 1, "--seeds", 1, "--epochs", 1]
    assert "Cannot write" in error_of("transfer", chains_run, *quick, "--out", tmp_path / "no" / "t.csv")
