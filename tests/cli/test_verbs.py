"""What a person sees of the smaller verbs: lines, files and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.cli.main import main
from gennas.eval.proxies import PROXIES
from gennas.spaces import NASBench201

CHAIN = "conv3x3-w16-s1/conv3x3-w16-s2"
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"
QUICK = ["--task", "digits", "--epochs", 1, "--data-fraction", 0.1]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cuts nothing off."""
    monkeypatch.setenv("COLUMNS", "250")


def run(*args: object) -> int:
    return main([str(a) for a in args])


def error_of(capsys, *args: object) -> str:
    capsys.readouterr()
    assert run(*args) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("gennas: "), lines
    return lines[0]


# ---------------------------------------------------------------------- report


def test_report_writes_and_sums_up(chains_run: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(chains_run, tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    assert run("report", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    assert best["text"] in shown and "10 evaluations in" in shown and "Report: " in shown
    assert best["text"] in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_trials_are_exported(ending: str, chains_run: Path, tmp_path: Path) -> None:
    out = tmp_path / f"trials.{ending}"
    assert run("report", chains_run, "--export", out) == 0
    frame = pd.read_csv(out) if ending == "csv" else pd.read_json(out, lines=True)
    assert len(frame) == 10 and (frame["status"] == "ok").all() and frame["key"].is_unique
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    assert frame["val_accuracy"].max() == pytest.approx(best["metrics"]["val_accuracy"])


def test_report_complains(chains_run: Path, tmp_path: Path, capsys) -> None:
    assert "config.yaml" in error_of(capsys, "report", tmp_path)
    assert ".csv, .jsonl or .parquet, got '.xlsx'" in error_of(capsys, "report", chains_run, "--export", "t.xlsx")


# ---------------------------------------------------------------------- show


def test_show_a_cell(capsys) -> None:
    assert run("show", CELL) == 0
    shown = capsys.readouterr().out
    arch = NASBench201().from_text(CELL)
    assert shown.splitlines()[0] == CELL and f"key {arch.key}" in shown and "(3×32×32 inputs, 10 classes)" in shown
    assert shown.count("edge ") == 6 and "nor_conv_3x3" in shown


def test_show_for_a_task_counts_its_parameters(capsys) -> None:
    assert run("show", CHAIN, "--space", "macro-chain", "--task", "digits") == 0
    # stem 9 · 16 + 32, two layers 9 · 16 · 16 + 32, norm 32, classifier 170
    assert f"{176 + 2 * 2336 + 32 + 170:,} parameters (1×8×8 inputs, 10 classes)" in capsys.readouterr().out


def test_show_the_best_of_a_run_and_draw_it(chains_run: Path, tmp_path: Path, capsys) -> None:
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    space = ["--space", "macro-chain", "--space-option", "max_depth=2", "--space-option", "min_depth=1"]
    space += ["--space-option", "widths=[4]", "--space-option", "kernels=[3]"]
    assert run("show", chains_run / "summary.json", *space, "--out", tmp_path / "a.svg") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(best["text"]) and best["key"] in shown and "Drawing: " in shown
    assert (tmp_path / "a.svg").read_text().lstrip().startswith("<")


def test_show_complains(capsys) -> None:
    assert "Did you mean digits" in error_of(capsys, "show", CHAIN, "--space", "macro-chain", "--task", "digit")
    assert "missing.json" in error_of(capsys, "show", "missing.json")


# ---------------------------------------------------------------------- train


def test_train_the_best_of_a_run(chains_run: Path, tmp_path: Path, capsys) -> None:
    save = tmp_path / "net.safetensors"
    assert run("train", "--from", chains_run, *QUICK, "--save", save) == 0
    title, header, *rows = capsys.readouterr().out.splitlines()
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    assert title == f"{best['text']} · macro-chain · task digits (from {chains_run})"
    assert header.split() == ["metric", "value", "unit", "better"] and save.stat().st_size > 0
    values = {row.split()[0]: row.split()[1:] for row in rows if row.strip()}
    assert 0 <= float(values["val_accuracy"][0]) <= 1 and values["val_accuracy"][-1] == "max"
    assert values["params"][-1] == "min"


def test_train_complains(chains_run: Path, tmp_path: Path, capsys) -> None:
    assert "Expected --from alone" in error_of(capsys, "train", "--from", chains_run, "--space", "macro-chain")
    assert "config.yaml" in error_of(capsys, "train", "--from", tmp_path)
    assert "--epochs: expected at least 1" in error_of(capsys, "train", CHAIN, "--space", "macro-chain", "--epochs", 0)


# ---------------------------------------------------------------------- transfer


def test_transfer_prints_two_tables_and_writes_all_values(chains_run: Path, tmp_path: Path, capsys) -> None:
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


def test_transfer_complains(chains_run: Path, tmp_path: Path, capsys) -> None:
    assert "Did you mean digits" in error_of(capsys, "transfer", chains_run, "--tasks", "digitz")
    assert "config.yaml" in error_of(capsys, "transfer", tmp_path, "--tasks", "digits")
    quick = ["--tasks", "digits", "--top", 1, "--seeds", 1, "--epochs", 1]
    assert "Cannot write" in error_of(capsys, "transfer", chains_run, *quick, "--out", tmp_path / "no" / "t.csv")


# ---------------------------------------------------------------------- proxies


def test_proxies_are_listed_with_what_they_need(capsys) -> None:
    assert run("proxies", "list") == 0
    shown = capsys.readouterr().out
    lines = [line.split()[0] for line in shown.splitlines()[1:] if line.strip()]
    assert lines == list(PROXIES) and shown.splitlines()[0].split()[:3] == ["proxy", "better", "scale"]


def test_scores_on_the_screen_and_in_a_file(tmp_path: Path, capsys) -> None:
    small = ["--space-option", "num_cells=1", "--space-option", "width=4"]
    options = [*small, "--proxies", "params,synflow", "--n", 3, "--seed", 1, "--out", tmp_path / "s.csv"]
    assert run("proxies", "score", *options) == 0
    shown, frame, space = capsys.readouterr().out, pd.read_csv(tmp_path / "s.csv"), NASBench201(num_cells=1, width=4)
    archs = space.sample(3, np.random.default_rng(1))
    assert frame["arch"].tolist() == [space.to_text(arch) for arch in archs]
    assert all(text in shown for text in frame["arch"]) and {"params", "synflow", "protocol"} <= set(frame)
    assert frame["protocol"].nunique() == 1 and "from the cache" in shown


def test_proxies_complain(tmp_path: Path, capsys) -> None:
    assert "synflow" in error_of(capsys, "proxies", "score", "--proxies", "synflwo")
    assert "batch=noise" in error_of(capsys, "proxies", "score", "--proxies", "synflow", "--protocol", "batch=digits")


# ---------------------------------------------------------------------- generators


def test_train_generator_says_what_can_be_asked(chains_run: Path, tmp_path: Path, capsys) -> None:
    small = ["--unlabelled", 20, "--pretrain-steps", 1, "--steps", 1, "--kind", "autoregressive"]
    out = tmp_path / "g"
    assert run("train-generator", "--archive", chains_run, "--conditions", "val_accuracy", *small, "--out", out) == 0
    shown = capsys.readouterr().out
    assert "macro-chain · autoregressive · 20 unlabelled and 10 measured architectures · loss:" in shown
    assert "can be asked for: val_accuracy>=…, trained on" in shown
    assert f'gennas sample --generator {out} --n 10 --condition "val_accuracy>=0.9q"' in shown
    assert run("sample", "--generator", out, "--n", 2, "--condition", "val_accuracy>=0.9q") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_train_generator_complains(chains_run: Path, tmp_path: Path, capsys) -> None:
    words = ["train-generator", "--archive", chains_run, "--conditions", "loss", "--out", tmp_path / "g"]
    assert "val_accuracy" in error_of(capsys, *words) and not (tmp_path / "g").exists()
