"""A search over cells and learning rates, from the command line to what a person sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gennas.search.archive import Archive
from gennas.spaces import JointSpace

OPTIONS = ["base=nasbench201", "base_option={num_cells: 1, width: 4}", "lr=0.001,0.01,0.03"]
SPACE = ["--space", "joint", *[word for option in OPTIONS for word in ("--space-option", option)]]


def test_learning_rates_are_searched_with_the_cell(
    tmp_path: Path, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    out = tmp_path / "run"
    words = ["search", *SPACE, "--task", "digits", "--strategy", "regularized-evolution", "--epochs", 1]
    words += ["--strategy-option", "population_size=3", "--strategy-option", "sample_size=2", "--data-fraction", 0.3]
    assert run(*words, "--budget", 6, "--track", "wandb", "--out", out) == 0
    assert " with lr=0.0" in capsys.readouterr().out
    space = JointSpace("nasbench201", {"num_cells": 1, "width": 4}, lr=[0.001, 0.01, 0.03])
    trials = Archive(out / "archive.sqlite", space).trials()
    assert len(trials) == 6 and {trial.status for trial in trials} == {"ok"}
    texts = [space.to_text(trial.arch) for trial in trials]
    assert len({text.rpartition(" with ")[2] for text in texts}) > 1
    report = (out / "report.html").read_text()
    best = json.loads((out / "summary.json").read_text())["best"]["text"]
    assert best in texts and best in report and " with lr=" in best
    table = next((out / "wandb").glob("offline-run-*/files/media/table/archive_*.table.json")).read_text()
    assert all(text in table for text in texts)
    assert run(*words, "--budget", 7, "--track", "wandb", "--out", out) == 0  # the run is made again from its record
