"""W&B: a real offline run, read back from its own file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gennas.search.objectives import Objective, Objectives
from gennas.search.trial import Trial
from gennas.tracking.base import NullTracker, RunInfo, SafeTracker, replay
from gennas.tracking.wandb import WandbTracker, run_id
from gennas.tracking.wandb_run import WandbOptions

QUICK = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True}


Reader = Callable[[Path], list[Any]]


def test_an_offline_run_holds_the_whole_search(
    tmp_path: Path, trials: list[Trial], info: RunInfo, offline_records: Reader, history: Reader
) -> None:
    checkpoint = tmp_path / "generator" / "round-001"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    tracker = WandbTracker("gennas-tests", tmp_path, mode="offline", settings=QUICK)
    rounds = [{"n_evals": 2, "round": 0, "validity": 0.75}]
    replay(tracker, trials, rounds, info, {"n_evals": 5, "llm": {"api_key": "sk-very-secret"}})

    found = offline_records(tmp_path)
    run = next(record.run for record in found if record.WhichOneof("record_type") == "run")
    assert (run.run_id, run.run_group, run.job_type) == (run_id(info), "nasbench201-random", "search")
    assert (run.display_name, run.project) == ("random-7", "gennas-tests")

    metrics = [record.metric for record in found if record.WhichOneof("record_type") == "metric"]
    assert any(metric.glob_name == "*" and metric.step_metric == "n_evals" for metric in metrics)
    named = {metric.name: metric for metric in metrics}
    for name in ("trial/val", "incumbent/val"):
        assert named[name].summary.max and not named[name].summary.min and named[name].step_metric == "n_evals"
    assert named["n_evals"].options.hidden and named["round/n_evals"].options.hidden
    assert tracker.place.startswith("W&B, offline: ") and "\nUpload: wandb sync " in tracker.place
    assert Path(tracker.place.split("wandb sync ")[1]).is_dir()

    rows = history(found)
    trial_rows = [row for row in rows if "trial/ok" in row]
    assert [row["n_evals"] for row in trial_rows] == [1, 2, 3, 4, 5]
    assert [row["trial/ok"] for row in trial_rows] == [1, 0, 1, 1, 1]
    assert [row["cost/seconds"] for row in trial_rows] == [2.0, 3.0, 5.0, 7.0, 9.0]
    assert [row["incumbent/val"] for row in trial_rows] == [0.5, 0.5, 0.7, 0.7, 0.9]
    assert [row.get("trial/test") for row in trial_rows] == pytest.approx([0.4, None, 0.6, 0.5, 0.8])
    assert [row["n_evals"] for row in rows if row.get("round/validity") == 0.75] == [2]

    artifacts = {r.artifact.type: r.artifact for r in found if r.WhichOneof("record_type") == "artifact"}
    assert {"checkpoint", "architecture"} <= set(artifacts)
    assert set(artifacts["checkpoint"].aliases) == {"round-001", "latest"}

    (table,) = tmp_path.glob("wandb/offline-run-*/files/media/table/archive*.json")
    content = json.loads(table.read_text())
    assert content["columns"] == ["n_evals", "arch", "key", "source", "round", "status", "error", "test", "val"]
    assert content["data"][1][3:] == ["random", 0, "failed", "ValueError: no", None, None]
    assert content["data"][4][1].startswith("|nor_conv_3x3~0|")
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/images/best/*.png"))) == 1

    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"sk-very-secret" not in file.read_bytes()


def test_what_a_continued_run_has_logged_is_not_logged_twice(
    trials: list[Trial], info: RunInfo, tmp_path: Path
) -> None:
    class Run:
        """Stands for an online run that was continued after three trials and one round."""

        def __init__(self) -> None:
            self.rows: list[dict[str, Any]] = []

        def log(self, row: dict[str, Any]) -> None:
            self.rows.append(row)

    tracker = WandbTracker("gennas-tests", tmp_path, mode="offline")
    tracker._run, tracker._logged, tracker._logged_round = Run(), 3, 2
    for n_evals, trial in enumerate(trials, 1):
        tracker.on_trial(trial, n_evals, trials[0])
        if n_evals in (2, 4):
            tracker.on_round(n_evals, {"validity": 1.0})
    assert [row["n_evals"] for row in tracker._run.rows] == [4, 4, 5]
    assert tracker._run.rows[-1]["cost/seconds"] == 9.0  # costs of what was skipped still count


def test_the_id_depends_on_configuration_and_seed_alone(info: RunInfo) -> None:
    assert run_id(info) == run_id(RunInfo({}, "abc123", 7, info.objectives))
    assert run_id(info) != run_id(RunInfo({}, "abc123", 8, info.objectives))
    assert run_id(info) != run_id(RunInfo({}, "abc124", 7, info.objectives))
    assert len(run_id(info)) == 16


def test_objectives_that_fall_are_best_when_least(
    tmp_path: Path, trials: list[Trial], info: RunInfo, offline_records: Reader
) -> None:
    goals = Objectives((Objective("val", "max"), Objective("test", "min")))
    replay(WandbTracker("gennas-tests", tmp_path, "offline", QUICK), trials, [], replace(info, objectives=goals), {})
    metrics = {r.metric.name: r.metric for r in offline_records(tmp_path) if r.WhichOneof("record_type") == "metric"}
    assert metrics["trial/test"].summary.min and not metrics["trial/test"].summary.max


def test_the_run_goes_where_the_options_say(
    tmp_path: Path, trials: list[Trial], info: RunInfo, offline_records: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("WANDB_RUN_GROUP", "their-group")
    options = WandbOptions("mine", "team", tags=("a", "b"), notes="why")
    replay(WandbTracker(options, tmp_path, "offline", QUICK), trials, [], info, {})
    run = next(r.run for r in offline_records(tmp_path) if r.WhichOneof("record_type") == "run")
    assert (run.project, run.entity, run.run_group, run.notes) == ("mine", "team", "their-group", "why")
    assert list(run.tags) == ["a", "b"]


def test_a_safe_tracker_knows_the_place(tmp_path: Path, trials: list[Trial], info: RunInfo) -> None:
    safe = SafeTracker(WandbTracker("gennas-tests", tmp_path, "offline", QUICK))
    assert safe.place == ""
    replay(safe, trials, [], info, {})
    assert "wandb sync" in safe.place and SafeTracker(NullTracker()).place == ""


def test_learning_curves_go_up_as_a_table_and_charts(
    tmp_path: Path, trials: list[Trial], info: RunInfo, history: Reader, offline_records: Reader
) -> None:
    curved = [replace(trials[0], curves={"val_loss": [2.0, 1.0], "val_accuracy": [0.1, 0.6]}), *trials[1:3]]
    replay(WandbTracker("gennas-tests", tmp_path, "offline", QUICK), curved, [], info, {})
    (file,) = tmp_path.glob("wandb/offline-run-*/files/media/table/learning_curves*.json")
    content = json.loads(file.read_text())
    assert content["columns"] == ["n_evals", "epoch", "val_loss", "val_accuracy"]
    assert content["data"] == [[1, 1, 2.0, 0.1], [1, 2, 1.0, 0.6]]


def test_epochs_of_a_supernet_are_logged_once_over_their_own_axis(
    tmp_path: Path, info: RunInfo, offline_records: Reader, history: Callable[[list[Any]], list[dict[str, Any]]]
) -> None:
    tracker = SafeTracker(WandbTracker("gennas-tests", tmp_path, mode="offline", settings=QUICK))
    tracker.start(info)
    for epoch in (1, 1, 2):
        tracker.on_training(epoch, {"train_loss": 0.5, "alpha_entropy": 1.0, "path_fairness": 0.75})
    tracker.finish({})
    rows = [row for row in history(offline_records(tmp_path)) if "supernet/epoch" in row]
    assert [row["supernet/epoch"] for row in rows] == [1, 2]
    assert all({"supernet/train_loss", "supernet/alpha_entropy", "supernet/path_fairness"} <= set(row) for row in rows)
    SafeTracker(NullTracker()).on_training(1, {})
