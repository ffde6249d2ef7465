"""``gennas train-generator``: what the person sees, exit codes, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def test_train_generator_says_what_can_be_asked(
    chains_run: Path, tmp_path: Path, capsys, run: Callable[..., int]
) -> None:
    small = ["--unlabelled", 20, "--pretrain-steps", 1, "--steps", 1, "--kind", "autoregressive"]
    out = tmp_path / "g"
    assert run("train-generator", "--archive", chains_run, "--conditions", "val_accuracy", *small, "--out", out) == 0
    shown = capsys.readouterr().out
    assert "macro-chain · autoregressive · 20 unlabelled and 10 measured architectures · loss:" in shown
    assert "can be asked for: val_accuracy>=…, trained on" in shown
    assert f'gennas sample --generator {out} --n 10 --condition "val_accuracy>=0.9q"' in shown
    assert run("sample", "--generator", out, "--n", 2, "--condition", "val_accuracy>=0.9q") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_train_generator_complains(chains_run: Path, tmp_path: Path, capsys, error_of: Callable[..., str]) -> None:
    words = ["train-generator", "--archive", chains_run, "--conditions", "loss", "--out", tmp_path / "g"]
    assert "val_accuracy" in error_of(*words) and not (tmp_path / "g").exists()
