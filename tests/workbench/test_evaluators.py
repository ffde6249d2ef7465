"""What settings say about scoring: tables, training, proxies, own evaluators, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gennas.errors import ConfigError, EvaluationError, TableError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, Fidelity, Metric
from gennas.eval.proxies import Protocol
from gennas.spaces import MacroChain, NASBench201, NASBenchGraph
from gennas.training import Task, TrainConfig, TrainEvaluator
from gennas.workbench.config import ProblemConfig
from gennas.workbench.evaluators import (
    RecordedEvaluator,
    make_measures,
    make_proxy_evaluator,
    make_recipe,
    score_with,
    task_batch,
    task_from,
)

SMALL = NASBench201(num_cells=1, width=4)


def scored(space: Any = SMALL, **settings: Any) -> Any:
    return score_with(ProblemConfig(**settings), space)


# ---------------------------------------------------------------------- which evaluator


def test_a_file_is_a_table(chains: MacroChain, table: Path, frame: pd.DataFrame) -> None:
    found = scored(chains, table=str(table))
    assert found.source == "chains.csv" and found.table is found.evaluator.table and len(found.table) == 42
    row = frame.iloc[7]
    values = found.evaluator.evaluate(chains.from_text(row["arch"]), FULL_FIDELITY, 0)
    assert values == {name: row[name] for name in ("val_accuracy", "test_accuracy", "layers")}


def test_goals_name_the_columns_that_are_read(chains: MacroChain, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    frame.assign(note="text", holes=np.nan).to_csv(path, index=False)
    goals = {"objective": ("val_accuracy - 0.1 * layers",), "constraint": ("test_accuracy>=0",)}
    table = scored(chains, table=str(path), **goals).table
    assert set(table.metrics) == {"val_accuracy", "layers", "test_accuracy"}
    with pytest.raises(TableError, match="holes"):
        scored(chains, table=str(path), objective=("holes:min",))


def test_a_known_table_comes_before_training_unless_told_otherwise() -> None:
    space = NASBenchGraph()
    assert scored(space, task="cora").source == scored(space, task="cora", evaluator="table").source
    assert scored(space, task="cora").table is not None
    trained = scored(task="digits", evaluator="train")
    assert isinstance(trained.evaluator, TrainEvaluator) and trained.table is None


def test_without_a_task_digits_are_trained_on() -> None:
    assert scored().source == "training on digits"


def test_training_takes_recipe_measures_and_task(blobs: Task) -> None:
    settings = {"train_option": {"lr": 0.5, "epochs": 3}, "measure": "ece, nll", "measure_option": {"bins": 4}}
    found = scored(task=blobs, **settings)
    assert found.source == "training on blobs"
    assert {"val_accuracy", "test_accuracy", "val_ece", "test_nll"} <= set(found.evaluator.metrics)
    assert "train_joules" not in found.evaluator.metrics
    other = scored(task=blobs, **{**settings, "measure_option": {"bins": 5}})
    assert found.evaluator.protocol != other.evaluator.protocol


def test_proxies_are_told_by_commas(blobs: Task) -> None:
    found = scored(proxy="synflow, ,grad_norm")
    assert found.source == "proxies on noise" and set(found.evaluator.metrics) >= {"synflow", "grad_norm"}
    assert scored(proxy="synflow", task=blobs).source == "proxies on blobs"


def test_own_functions_know_what_the_goals_want() -> None:
    def judge(arch: object) -> dict[str, float]:
        return {"good": 1.0, "bad": 2.0, "sold": 3.0, "unasked": 4.0}

    goals = {"objective": ("good - 2 * bad",), "limit": {"sold": 9, "seconds": 3}}
    found = scored(evaluator=judge, **goals)
    directions = {name: metric.direction for name, metric in found.evaluator.metrics.items()}
    assert directions == {"good": "max", "bad": "min", "sold": "min"}
    assert found.evaluator.evaluate(SMALL.architecture([0] * 6), FULL_FIDELITY, 0) == {
        "good": 1.0,
        "bad": 2.0,
        "sold": 3.0,
    }
    assert "judge" in found.source and not found.source.startswith("object:")


def test_a_reported_metric_is_wanted_too() -> None:
    found = scored(evaluator=lambda arch: {"a": 1.0, "b": 2.0}, objective=("a:min",), constraint=("b>=1",), report="c")
    assert {n: m.direction for n, m in found.evaluator.metrics.items()} == {"a": "min", "b": "max", "c": "max"}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"task": "digits", "table": "x.csv"}, "Expected either --task or --table, got both; drop one."),
        ({"proxy": "synflow", "table": "x.csv"}, "Expected --proxy alone, got --table or --evaluator with it"),
        ({"proxy": "synflow", "evaluator": "train"}, "Expected --proxy alone, got --table or --evaluator with it"),
        ({"proxy": "synflow", "measure": "ece"}, "Only networks that are trained can be measured"),
        ({"evaluator": len, "table": "x.csv"}, "Expected --table or an evaluator of your own, got both"),
        ({"evaluator": lambda arch: 1.0, "measure": "ece"}, "Only networks that are trained can be measured"),
        ({"evaluator_option": {"a": 1}}, "--evaluator-option is for an evaluator of your own"),
        ({"evaluator": "table", "task": "digits"}, "No table 'nasbench201/digits'; give --table FILE. Tables of this"),
        ({"measure_option": {"bins": 3}}, "--measure-option needs --measure NAMES."),
        ({"task": "object:mine"}, "given as an object (mine) and cannot be made again from its name: give it, as task"),
        ({"evaluator": "object:judge"}, "The evaluator of this run was given as an object (judge)"),
    ],
)
def test_contradictions(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scored(**settings)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 3}, {"data_fraction": 0.5}, {"resolution": 0.5}, {"width": 0.5}, {"depth": 0.5}, {"measure": "ece"}],
)
def test_tables_have_one_fidelity_and_no_measures(settings: dict[str, Any], table: Path, chains: MacroChain) -> None:
    with pytest.raises(ConfigError, match=r"drop --(epochs|measure)"):
        scored(chains, table=str(table), **settings)


def test_a_run_that_is_only_read_needs_no_object() -> None:
    recorded = {"score": Metric("score", "min")}
    found = score_with(ProblemConfig(evaluator="object:judge"), SMALL, recorded)
    assert isinstance(found.evaluator, RecordedEvaluator) and found.source == "judge" and found.table is None
    assert found.evaluator.metrics == recorded and found.evaluator.protocol == "recorded(object:judge)"
    with pytest.raises(EvaluationError, match="scored by object:judge, which is not at hand"):
        found.evaluator.evaluate(SMALL.architecture([0] * 6), FULL_FIDELITY, 0)


# ---------------------------------------------------------------------- parts


def one_more(count: int = 40) -> Task:
    """A task with an option."""
    x, y = torch.rand(count, 1, 4, 4), torch.arange(count) % 2
    return Task.from_tensors(f"more{count}", train=(x, y), test=(x, y), validation=(x, y))


def test_tasks_by_name_object_and_maker(blobs: Task) -> None:
    assert task_from(blobs, {}) is blobs
    assert task_from("digits", {}).name == "digits"
    assert task_from(one_more, {"count": 50}).name == "more50" and task_from(one_more, {}).name == "more40"


@pytest.mark.parametrize(
    ("part", "options", "error", "complaint"),
    [
        ("digitz", {}, UnknownNameError, "Did you mean digits"),
        ("digits", {"classes": 3}, ConfigError, "Unknown option 'classes'"),
        (one_more, {"cuont": 50}, ConfigError, "Did you mean count"),
        (one_more, {"count": "many"}, ConfigError, "'count' of the task"),
        (lambda: 5, {}, ConfigError, "Expected a name, a Task or a function that returns one as task"),
        (5, {}, ConfigError, "got 5."),
    ],
)
def test_what_is_no_task(part: Any, options: dict[str, Any], error: type[Exception], complaint: str) -> None:
    with pytest.raises(error) as caught:
        task_from(part, options)
    assert complaint in str(caught.value)


def test_a_task_that_is_there_takes_no_options(blobs: Task) -> None:
    with pytest.raises(ConfigError, match="'blobs' is made already: expected no options, got a, b"):
        task_from(blobs, {"a": 1, "b": 2})


def test_a_recipe_differs_only_where_it_is_told_to() -> None:
    default = TrainConfig(epochs=7, lr=0.1)
    assert make_recipe(default, {}) == default
    changed = make_recipe(default, ["lr=1e-3", "optimizer=sgd", "grad_clip=null"])
    assert changed == TrainConfig(epochs=7, lr=0.001, optimizer="sgd", grad_clip=None)
    assert make_recipe(default, {"lr": 1}).lr == 1.0 and default.lr == 0.1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"learning_rate": 1}, "Unknown option 'learning_rate' of the training recipe"),
        ({"lr": "fast"}, "Option 'lr' of the training recipe"),
        ({"lr": 0.0}, "Training settings out of range: lr=0.0"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"patience": 2}, "patience needs select='best'"),
        (["lr"], "KEY=VALUE"),
    ],
)
def test_bad_recipes(options: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_recipe(TrainConfig(), options)
    assert complaint in str(caught.value)


def test_measures_and_their_conditions() -> None:
    names, conditions = make_measures(" ece,fgsm,, ", ["epsilon=8/255", "bins=5"])
    assert names == ("ece", "fgsm") and conditions.epsilon == pytest.approx(8 / 255) and conditions.bins == 5
    assert make_measures(None, {})[0] == () == make_measures("", {})[0]
    with pytest.raises(ConfigError, match="--measure-option needs --measure"):
        make_measures(" , ", {"bins": 5})
    with pytest.raises(ConfigError, match="bins=0"):
        make_measures("ece", {"bins": 0})


# ---------------------------------------------------------------------- proxies


def test_a_task_batch_is_of_the_training_part_and_followed_by_another(blobs: Task) -> None:
    protocol = Protocol(input_shape=(1, 8, 8), num_classes=2, batch="blobs", batch_size=16, seed=3)
    batch, again = task_batch(blobs, protocol), task_batch(blobs, protocol)
    assert batch.inputs[0].shape == (16, 1, 8, 8) and torch.equal(batch.labels, again.labels)
    assert batch.second is not None and len(batch.second.labels) == 16
    images = {tuple(x.flatten().tolist()) for b in (batch, batch.second) for x in b.inputs[0]}
    assert len(images) == 32  # no image twice
    other = task_batch(blobs, Protocol(input_shape=(1, 8, 8), num_classes=2, batch="blobs", batch_size=16, seed=4))
    assert not torch.equal(batch.inputs[0], other.inputs[0])


def test_a_task_of_one_batch_has_none_that_follows(blobs: Task) -> None:
    protocol = Protocol(input_shape=(1, 8, 8), num_classes=2, batch="blobs", batch_size=64)
    batch = task_batch(blobs, protocol)
    assert len(batch.labels) == 40 and batch.second is None


def test_the_task_says_shape_and_classes_and_options_may_correct_it(blobs: Task) -> None:
    protocol = make_proxy_evaluator(SMALL, ["synflow"], blobs).settings
    assert (protocol.input_shape, protocol.num_classes, protocol.batch) == ((1, 8, 8), 2, "blobs")
    noise = make_proxy_evaluator(SMALL, ["synflow"], blobs, batch="noise", num_classes=5).settings
    assert (noise.input_shape, noise.num_classes, noise.batch) == ((1, 8, 8), 5, "noise")


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (lambda: make_proxy_evaluator(SMALL, ["synflwo"]), UnknownNameError, "Did you mean synflow"),
        (lambda: make_proxy_evaluator(SMALL, ["synflow"], batch_sise=3), ConfigError, "Did you mean batch_size"),
        (lambda: make_proxy_evaluator(SMALL, ["synflow"], batch="digits"), ConfigError, "got 'digits'; give it as"),
        (lambda: make_proxy_evaluator(SMALL, ["synflow"], one_more(), batch="more4"), ConfigError, "got 'more4'"),
    ],
)
def test_proxies_that_cannot_be_made(make: Callable[[], object], error: type[Exception], complaint: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert complaint in str(caught.value)


def test_proxies_look_at_full_networks() -> None:
    evaluator = scored(proxy="synflow").evaluator
    arch = SMALL.from_text("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    assert np.isfinite(evaluator.evaluate(arch, FULL_FIDELITY, 0)["synflow"])
    with pytest.raises(ConfigError, match="drop --epochs"):
        evaluator.evaluate(arch, Fidelity(epochs=1), 0)
