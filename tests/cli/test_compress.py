"""``gennas compress``: what the person sees, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ARCH = "embed=16;depth=2;mlp=2,2;heads=2,2"
OPTIONS = ("embeds=[16]", "depths=[1,2]", "ratios=[1,2]", "heads=[1,2]", "head_dim=4", "patch=4")
SPACE = ["--space", "autoformer-tiny", *(word for option in OPTIONS for word in ("--space-option", option))]
PROBLEM = [*SPACE, "--task", "digits", "--arch", ARCH]


def test_compress(tmp_path: Path, capsys, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    net, out = tmp_path / "n.safetensors", tmp_path / "small"
    assert run("train", *PROBLEM, "--epochs", 1, "--save", net) == 0
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "80")
    words = ["--weights", net, "--constraint", "params<=0.8x", "--constraint", "flops<=0.9x", "--steps", 2]
    assert run("compress", *PROBLEM, *words, "--random", 3, "--finetune", 1, "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    text = "\n".join(lines)
    assert lines[1] == "bounds: params<=0.8x · flops<=0.9x" and lines[2].startswith("  layer 1: ")
    for row in ("parent     1.000x   1.000x", "chosen     0.", "uniform    0.", "random "):
        assert f" {row}" in text
    assert "random feasible choices have a lower validation loss" in text and "distillation" in text
    assert max(len(line) for line in lines if not line.startswith((ARCH, "  gennas", "Saved"))) <= 80
    assert run("train", "--from", out, "--weights", out / "network.safetensors", "--epochs", 1) == 0


def test_compress_complains(tmp_path: Path, chains_run: Path, error_of: Callable[..., str]) -> None:
    assert "holds none" in error_of("compress", "--from", chains_run, "--constraint", "params<=0.6x")
    assert "--constraint" in error_of("compress", "--from", chains_run)
    assert "at most 1x" in error_of("compress", *PROBLEM, "--constraint", "params<=2x")
    missing = error_of("compress", *PROBLEM, "--weights", tmp_path / "no", "--constraint", "params<=0.6x")
    assert "Expected weights in" in missing
