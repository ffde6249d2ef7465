"""A training as a W&B run: real offline runs, read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gennas.eval.base import Metric
from gennas.tracking import WandbTraining

Reader = Callable[[Any], list[Any]]
QUICK = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True}


def test_epochs_are_curves_and_what_was_measured_the_summary(
    tmp_path: Path, offline_records: Reader, history: Reader
) -> None:
    tracker = WandbTraining("gennas-tests", tmp_path, "offline", QUICK)
    tracker.start({"lr": 0.1, "train_option": {"epochs": 2}}, "mine", {"latency_ms": Metric("latency_ms", "min", "ms")})
    for epoch, loss in ((1, 0.9), (2, 0.5)):
        tracker.on_epoch(epoch, {"train_loss": loss, "val_loss": loss + 0.1, "val_accuracy": 1 - loss})
    tracker.finish({"test_accuracy": 0.75, "latency_ms": 2.0})
    found = offline_records(tmp_path)
    run = next(r.run for r in found if r.WhichOneof("record_type") == "run")
    assert (run.job_type, run.display_name, run.project) == ("train", "mine", "gennas-tests")
    config = {u.key: json.loads(u.value_json) for u in run.config.update}
    assert config["train_option"] == {"epochs": 2} and config["units"] == {"latency_ms": "ms"}
    rows = [row for row in history(found) if "train/loss" in row]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [row["train/loss"] for row in rows] == [0.9, 0.5]
    assert [row["val/accuracy"] for row in rows] == pytest.approx([0.1, 0.5])
    metrics = {r.metric.name: r.metric for r in found if r.WhichOneof("record_type") == "metric"}
    assert metrics["val/accuracy"].summary.max and metrics["val/loss"].summary.min
    assert metrics["epoch"].options.hidden and metrics["train/loss"].step_metric == "epoch"
    kept = [u for r in found if r.WhichOneof("record_type") == "summary" for u in r.summary.update]
    assert {"test_accuracy": "0.75", "latency_ms": "2"}.items() <= {
        u.key: u.value_json.removesuffix(".0") for u in kept
    }.items()
    assert "wandb sync" in tracker.place


def test_the_score_of_the_task_is_a_curve(tmp_path: Path, offline_records: Reader, history: Reader) -> None:
    tracker = WandbTraining("gennas-tests", tmp_path, "offline", QUICK)
    tracker.start(
        {}, "mine", {"val_miou": Metric("val_miou", "max"), "val_perplexity": Metric("val_perplexity", "min")}
    )
    tracker.on_epoch(1, {"train_loss": 2.0, "val_loss": 2.1, "val_miou": 0.3, "val_perplexity": 8.0})
    tracker.finish({})
    found = offline_records(tmp_path)
    metrics = {r.metric.name: r.metric for r in found if r.WhichOneof("record_type") == "metric"}
    assert metrics["val/miou"].summary.max and metrics["val/perplexity"].summary.min
    (row,) = [row for row in history(found) if "train/loss" in row]
    assert (row["val/miou"], row["val/perplexity"]) == (0.3, 8.0)


def test_a_failure_warns_once_and_the_training_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tracker = WandbTraining("gennas-tests", tmp_path / "file" / "below", "offline", QUICK)
    with pytest.warns(RuntimeWarning, match="Tracking stopped .*The training goes on") as caught:
        tracker.start({})
        tracker.on_epoch(1, {"train_loss": 1.0})
        tracker.finish({})
    assert len(caught) == 1 and tracker.place == ""
