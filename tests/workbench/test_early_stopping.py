"""Real trainings that are ended early: from settings to archive and report, in one process and in workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gennas.report import RunData
from gennas.workbench.run import Run, open_run, read_run, run_data, search

SETTINGS: dict[str, Any] = {
    "space": "macro-chain", "space_option": {"max_depth": 2, "widths": [4], "kernels": [3]}, "task": "digits",
    "strategy": "regularized-evolution", "strategy_option": {"population_size": 4, "sample_size": 2}, "budget": 12,
    "epochs": 4, "data_fraction": 0.3, "early_stopping": "median", "early_stopping_option": {"startup": 3},
}  # fmt: skip


def outcome(run: Run) -> list[tuple[Any, ...]]:
    return [
        (t.arch.key, t.status, t.metrics.get("val_accuracy"), t.error, list(t.curves["val_accuracy"]))
        for t in run.result.trials
    ]


def run_data_of(directory: Path) -> RunData:
    run, archive = read_run(directory)
    try:
        return run_data(run, archive)
    finally:
        archive.close()


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return search(**SETTINGS, out=tmp_path_factory.mktemp("serial"))


def test_a_stopped_trial_says_what_was_measured_and_has_no_value(serial: Run) -> None:
    frame = serial.trials()
    ended = frame[frame["status"] == "stopped"]
    assert 0 < len(ended) < 9 and ended["val_accuracy"].isna().all() and ended["test_accuracy"].isna().all()
    assert ended["error"].str.match(r"stopped after epoch [123] of 4: best val_accuracy .* below the .*").all()
    assert (ended["cost_seconds"] > 0).all() and serial.result.n_evals == 12
    assert serial.best.ok and len(serial.best.curves["val_accuracy"]) == 4
    assert run_data_of(serial.directory).stopped == len(ended)
    assert outcome(open_run(serial.directory)) == outcome(serial)


def test_worker_processes_and_a_second_start_give_the_same_archive(serial: Run, tmp_path: Path) -> None:
    for budget in (7, 12):
        run = search(**{**SETTINGS, "budget": budget}, out=tmp_path, executor="process", workers=2, report=False)
    assert outcome(run) == outcome(serial)
