"""What W&B is told of a configuration, and that none of it is part of a run's identity."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gennas.cli.main import main
from gennas.search.strategies import RandomSearch
from gennas.tracking import NullTracker
from gennas.training import Task
from gennas.workbench.compare import run_comparison
from gennas.workbench.config import CompareConfig, SearchConfig, TrackingSettings
from gennas.workbench.problem import make_problem
from gennas.workbench.run import Run, run_search
from gennas.workbench.track import make_tracker, overridden, resolved_values, tracking_of, wandb_options
from gennas.workbench.train import TrainSettings, train
from gennas.workbench.trust import code_names

Reader = Callable[[Any], list[Any]]
CORA: dict[str, Any] = {"space": "nasbench-graph", "task": "cora"}
EVERYTHING: dict[str, Any] = {
    "track": "wandb",
    "wandb_project": "p",
    "wandb_entity": "e",
    "wandb_group": "g",
    "wandb_tags": ("a",),
    "wandb_notes": "n",
}


@pytest.mark.parametrize("settings", [SearchConfig, CompareConfig])
def test_tracking_is_no_part_of_the_identity(settings: type[Any]) -> None:
    assert settings(**EVERYTHING).identity() == settings().identity()
    assert settings(**EVERYTHING).config_hash == settings().config_hash
    assert tracking_of(settings(**EVERYTHING)) == EVERYTHING


def test_a_run_continues_under_another_project(tmp_path: Path) -> None:
    config = SearchConfig(**CORA, strategy="random", budget=3, out=tmp_path / "run")
    run_search(config, report=False)
    again = run_search(replace(config, wandb_project="other", wandb_tags=("x",)), report=False)
    assert len(again.result.trials) == 3


def test_the_options_of_wandb() -> None:
    options = wandb_options(TrackingSettings(**EVERYTHING))
    assert (options.project, options.entity, options.group, options.tags, options.notes) == ("p", "e", "g", ("a",), "n")
    assert wandb_options(TrackingSettings()).project == ""  # the environment is asked later
    assert isinstance(make_tracker(TrackingSettings(), Path("nowhere")), NullTracker)


def test_what_is_given_replaces_what_the_run_had() -> None:
    config = SearchConfig(wandb_project="old", wandb_notes="kept")
    changed = overridden(config, TrackingSettings(wandb_project="new"))
    assert (changed.wandb_project, changed.wandb_notes) == ("new", "kept")


def test_options_stand_with_their_defaults() -> None:
    config = SearchConfig(**CORA, strategy="regularized-evolution", strategy_option={"sample_size": 3})
    values = resolved_values(config, make_problem(config))
    defaults = {"population_size": 50, "further_edits": 0.0, "crossover": 0.0}
    assert values["strategy_option"] == defaults | {"sample_size": 3}
    assert values["space_option"]["hidden"] == 64
    json.dumps(values)  # plain


def test_the_recipe_stands_with_its_defaults(blobs: Task) -> None:
    config = SearchConfig(space="macro-chain", task=blobs, train_option={"lr": 0.125}, strategy="random")
    recipe = resolved_values(config, make_problem(config))["train_option"]
    assert recipe["lr"] == 0.125 and {"epochs", "batch_size", "schedule"} <= set(recipe)


@pytest.mark.parametrize("strategy", ["object:Mine", "gone.py:Mine"])
def test_a_strategy_that_is_gone_leaves_its_options_as_they_are(strategy: str) -> None:
    config = SearchConfig(**CORA, strategy=strategy, strategy_option={"a": 1})
    assert resolved_values(config, make_problem(config))["strategy_option"] == {"a": 1}


def test_notes_with_a_colon_lead_to_no_code() -> None:
    config = SearchConfig(wandb_notes="see: page 3", wandb_tags=("paper:1",), wandb_group="a:b")
    assert code_names(config.to_dict()) == {}


def test_parts_given_as_objects_are_named() -> None:
    config = SearchConfig(**CORA, strategy=RandomSearch)
    values = resolved_values(config, make_problem(config))
    assert values["strategy"] == "random" and values["strategy_option"] == {}


def test_a_replayed_run_says_where_it_went(
    make_run: Callable[..., Run], offline_records: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    assert run.tracked == ""
    command = ["report", str(run.directory), "--track", "wandb", "--wandb-project", "again", "--wandb-notes", "later"]
    assert main(command) == 0
    assert "wandb sync" in capsys.readouterr().out.replace("\n", " ")
    record = next(r.run for r in offline_records(run.directory) if r.WhichOneof("record_type") == "run")
    assert (record.project, record.notes) == ("again", "later")
    config = {u.key: json.loads(u.value_json) for u in record.config.update}
    assert config["space_option"]["widths"] == [4] and config["strategy"] == "random"


def test_a_training_is_followed_epoch_by_epoch(
    blobs: Task, tmp_path: Path, offline_records: Reader, history: Reader
) -> None:
    settings = TrainSettings(
        space="macro-chain", space_option={"widths": [4]}, arch="conv3x3-w4-s1/conv3x3-w4-s2", task=blobs, epochs=3,
        track="wandb", wandb_project="mine", save=tmp_path / "net.safetensors",
    )  # fmt: skip
    trained = train(settings)
    assert "wandb sync" in trained.tracked
    found = offline_records(tmp_path)
    rows = [row for row in history(found) if "train/loss" in row]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert sum(row["train/loss"] for row in rows) == pytest.approx(trained.values["sotl"])
    assert trained.values["val_accuracy"] in [row["val/accuracy"] for row in rows]
    run = next(r.run for r in found if r.WhichOneof("record_type") == "run")
    config = {u.key: json.loads(u.value_json) for u in run.config.update}
    assert run.project == "mine" and config["task"] == "blobs" and config["train_option"]["optimizer"]
    kept = {u.key: u.value_json for r in found if r.WhichOneof("record_type") == "summary" for u in r.summary.update}
    assert json.loads(kept["test_accuracy"]) == trained.values["test_accuracy"]


def test_a_comparisons_runs_share_a_group(tmp_path: Path, offline_records: Reader) -> None:
    config = CompareConfig(
        **CORA, strategies="random,local-search", seeds=2, budget=5, track="wandb", wandb_tags=("paper",),
        out=tmp_path / "c",
    )  # fmt: skip
    comparison = run_comparison(config)
    runs = {}
    for folder in (tmp_path / "c", *(tmp_path / "c" / "runs").iterdir()):
        records = offline_records(folder)
        runs[folder.name] = next(r.run for r in records if r.WhichOneof("record_type") == "run")
    assert len(runs) == 5 and len({run.run_id for run in runs.values()}) == 5
    (group,) = {run.run_group for run in runs.values()}
    assert group.startswith("c-") and runs["c"].job_type == "compare"
    assert {tuple(run.tags) for run in runs.values()} == {("paper",)}
    assert "/runs/*/wandb/offline-run-*" in comparison.tracked
    run_comparison(config)  # what is finished is not told again
    assert all(len(list(f.glob("wandb/offline-run-*"))) == 1 for f in (tmp_path / "c" / "runs").iterdir())
