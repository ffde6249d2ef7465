"""``gennas train``: what the person sees, exit codes, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

CHAIN = "conv3x3-w16-s1/conv3x3-w16-s2"
QUICK = ["--task", "digits", "--epochs", 1, "--data-fraction", 0.1]


def test_train_the_best_of_a_run(chains_run: Path, tmp_path: Path, capsys, run: Callable[..., int]) -> None:
    save = tmp_path / "net.safetensors"
    assert run("train", "--from", chains_run, *QUICK, "--save", save) == 0
    title, header, *rows = capsys.readouterr().out.splitlines()
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    assert title == f"{best['text']} · macro-chain · task digits · epochs=1, data_fraction=0.1 (from {chains_run})"
    assert header.split() == ["metric", "value", "unit", "better"] and save.stat().st_size > 0
    values = {row.split()[0]: row.split()[1:] for row in rows if row.strip()}
    assert 0 <= float(values["val_accuracy"][0]) <= 1 and values["val_accuracy"][-1] == "max"
    assert values["params"][-1] == "min"


def test_train_complains(chains_run: Path, tmp_path: Path, capsys, error_of: Callable[..., str]) -> None:
    assert "Expected --from alone" in error_of("train", "--from", chains_run, "--space", "macro-chain")
    assert "config.yaml" in error_of("train", "--from", tmp_path)
    assert "--epochs: expected at least 1" in error_of("train", CHAIN, "--space", "macro-chain", "--epochs", 0)
