"""``gennas show``: what the person sees, exit codes, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from gennas.spaces import AutoFormerSmall, NASBench201

CHAIN = "conv3x3-w16-s1/conv3x3-w16-s2"
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"


def test_show_a_cell(capsys, run: Callable[..., int]) -> None:
    assert run("show", CELL) == 0
    shown = capsys.readouterr().out
    arch = NASBench201().from_text(CELL)
    assert shown.splitlines()[0] == CELL and f"key {arch.key}" in shown and "(3×32×32 inputs, 10 classes)" in shown
    assert shown.count("edge ") == 6 and "nor_conv_3x3" in shown


def test_show_for_a_task_counts_its_parameters(capsys, run: Callable[..., int]) -> None:
    assert run("show", CHAIN, "--space", "macro-chain", "--task", "digits") == 0
    # stem 9 · 16 + 32, two layers 9 · 16 · 16 + 32, norm 32, classifier 170
    assert f"{176 + 2 * 2336 + 32 + 170:,} parameters (1×8×8 inputs, 10 classes)" in capsys.readouterr().out


def test_show_the_best_of_a_run_and_draw_it(chains_run: Path, tmp_path: Path, capsys, run: Callable[..., int]) -> None:
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    space = ["--space", "macro-chain", "--space-option", "max_depth=2", "--space-option", "min_depth=1"]
    space += ["--space-option", "widths=[4]", "--space-option", "kernels=[3]"]
    assert run("show", chains_run / "summary.json", *space, "--out", tmp_path / "a.svg") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(best["text"]) and best["key"] in shown and "Drawing: " in shown
    assert (tmp_path / "a.svg").read_text().lstrip().startswith("<")


def test_show_a_published_network_layer_by_layer(capsys, run: Callable[..., int]) -> None:
    assert run("show", "--space", "autoformer-small", "--arch", "@AutoFormer-S", "--task", "digits") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == AutoFormerSmall.reference["AutoFormer-S"] and shown[1] == "embed 384 · depth 13"
    assert [line.split() for line in shown[2:5]] == [
        ["layer", "mlp", "heads"],
        ["layer1", "3", "6"],
        ["layer2", "3.5", "6"],
    ]
    assert len(shown) == 3 + 13 + 1


def test_show_complains(capsys, error_of: Callable[..., str]) -> None:
    assert "Did you mean digits" in error_of("show", CHAIN, "--space", "macro-chain", "--task", "digit")
    assert "missing.json" in error_of("show", "missing.json")
    wrong = error_of("show", "@PiT-T", "--space", "pit")
    assert "Unknown published architecture of pit 'PiT-T'. Did you mean PiT-Ti?" in wrong
