"""``gennas report``: what the person sees, exit codes, files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest


def test_report_writes_and_sums_up(chains_run: Path, tmp_path: Path, capsys, run: Callable[..., int]) -> None:
    shutil.copytree(chains_run, tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    assert run("report", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    assert best["text"] in shown and "10 evaluations in" in shown and "Report: " in shown
    assert best["text"] in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_trials_are_exported(ending: str, chains_run: Path, tmp_path: Path, run: Callable[..., int]) -> None:
    out = tmp_path / f"trials.{ending}"
    assert run("report", chains_run, "--export", out) == 0
    frame = pd.read_csv(out) if ending == "csv" else pd.read_json(out, lines=True)
    assert len(frame) == 10 and (frame["status"] == "ok").all() and frame["key"].is_unique
    best = json.loads((chains_run / "summary.json").read_text())["best"]
    assert frame["val_accuracy"].max() == pytest.approx(best["metrics"]["val_accuracy"])


def test_report_complains(chains_run: Path, tmp_path: Path, capsys, error_of: Callable[..., str]) -> None:
    assert "config.yaml" in error_of("report", tmp_path)
    assert ".csv, .jsonl or .parquet, got '.xlsx'" in error_of("report", chains_run, "--export", "t.xlsx")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_decisions_are_listed_and_exported(
    ending: str, chains_run: Path, tmp_path: Path, capsys, run: Callable[..., int]
) -> None:
    out = tmp_path / f"trials.{ending}"
    assert run("report", chains_run, "--export", out, "--decisions") == 0
    frame = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    chain = frame["arch"][0].split("/")[0]
    assert chain == f"{frame['layer1.op'][0]}3x3-w4-{frame['layer1.stride'][0]}"
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if "layer1.op" in line)
    best = frame.sort_values("val_accuracy", ascending=False)["layer1.op"][:5]
    assert [cell.strip() for cell in row.split("│")[2:-1]] == best.tolist()
