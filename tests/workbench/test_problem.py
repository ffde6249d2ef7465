"""From settings to a problem."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import GennasError, InvalidArchitectureError
from gennas.eval.base import FULL_FIDELITY
from gennas.eval.stopping import EarlyStopping
from gennas.spaces import NASBench201, NASBenchGraph
from gennas.training import TrainEvaluator, make_task
from gennas.workbench.config import ProblemConfig, SearchConfig
from gennas.workbench.problem import load_architecture, make_problem, make_strategy
from gennas.workbench.track import resolved_values


def test_the_optimum_is_that_of_the_feasible() -> None:
    free = make_problem(ProblemConfig(space="nasbench-graph", task="cora"))
    bound = make_problem(ProblemConfig(space="nasbench-graph", task="cora", constraint=("params_m<=1.0",)))
    rows = bound.table.columns["params_m"] <= 1.0
    assert rows.any() and bound.optimum == bound.table.columns["val_accuracy"][rows].max() <= free.optimum
    worse = make_problem(ProblemConfig(space="nasbench-graph", task="cora", constraint=("latency_s<=0.001",)))
    assert worse.optimum < free.optimum
    least = make_problem(ProblemConfig(space="nasbench-graph", task="cora", objective=("latency_s:min",)))
    assert least.optimum == least.table.columns["latency_s"].min()
    pareto = make_problem(ProblemConfig(space="nasbench-graph", task="cora", objective=("val_accuracy", "params_m")))
    assert pareto.optimum is None


def test_columns_that_are_not_used_may_hold_anything(tmp_path: Path) -> None:
    space = NASBench201()
    texts = [space.to_text(a) for a in space.sample(3, np.random.default_rng(0))]
    rows = "\n".join(f"{t},{i},{'' if i else 1.0}" for i, t in enumerate(texts))
    (tmp_path / "t.csv").write_text(f"arch,acc,partly\n{rows}\n")
    settings = {"space": "nasbench201", "table": str(tmp_path / "t.csv")}
    assert make_problem(ProblemConfig(**settings, objective=("acc:max",))).optimum == 2
    reported = make_problem(ProblemConfig(**settings, objective=("acc:max",), report="partly"))
    assert (
        reported.optimum == 0 and "2 of 3 rows are left out: they have no finite value of partly" in reported.notes[0]
    )


def test_architectures_from_text_and_files(tmp_path: Path) -> None:
    space = NASBenchGraph()
    arch = space.sample(1, np.random.default_rng(0))[0]
    (tmp_path / "a.json").write_text(arch.to_json())
    (tmp_path / "summary.json").write_text(json.dumps({"best": {"text": space.to_text(arch)}}))
    (tmp_path / "bad.json").write_text("{")
    assert load_architecture(space.to_text(arch), space) == arch
    assert load_architecture(str(tmp_path / "a.json"), space) == arch
    assert load_architecture(str(tmp_path / "summary.json"), space) == arch
    for name in ("bad.json", "missing.json"):
        with pytest.raises(InvalidArchitectureError, match=r"summary\.json"):
            load_architecture(str(tmp_path / name), space)
    with pytest.raises(InvalidArchitectureError, match="nasbench201"):
        load_architecture(str(tmp_path / "a.json"), NASBench201())


@pytest.mark.parametrize(
    "task", ["cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins"]
)
def test_every_dataset_of_nasbench_graph_is_a_table_task(task: str) -> None:
    problem = make_problem(ProblemConfig(space="nasbench-graph", task=task))
    assert len(problem.table) == problem.space.size == (2021 if task == "proteins" else 26206)
    assert problem.report == "test_accuracy"


def test_limits_are_read_and_checked(tmp_path: Path) -> None:
    space = NASBench201()
    archs = space.sample(30, np.random.default_rng(0)).unique()
    (tmp_path / "t.csv").write_text("\n".join(["arch,score,cost_s", *(f"{space.to_text(a)},1,50" for a in archs)]))
    config = ProblemConfig(
        space="nasbench201", table=str(tmp_path / "t.csv"), objective=("score:max",), limit=("cost_s=120", "seconds=60")
    )
    problem = make_problem(config)
    assert problem.limits == {"cost_s": 120.0, "seconds": 60.0}
    assert problem.evaluator.evaluate(archs[0], FULL_FIDELITY, 0)["cost_s"] == 50.0
    for wrong in ("seconds=0", "seconds=soon", "nothing=3"):
        with pytest.raises(GennasError, match=r"limit|no column"):
            make_problem(replace(config, limit=(wrong,)))


TRAINED = {"space": "macro-chain", "task": "digits", "evaluator": "train"}


def test_the_rule_that_ends_trainings() -> None:
    assert make_problem(ProblemConfig(**TRAINED)).stopping is None
    assert make_problem(ProblemConfig(**TRAINED, early_stopping="median")).stopping == EarlyStopping()
    options = {"percentile": 25, "startup": 9, "warmup": 2}
    made = make_problem(ProblemConfig(**TRAINED, early_stopping="percentile", early_stopping_option=options))
    assert made.stopping == EarlyStopping(25, 9, 2)
    assert "early_stopping" not in ProblemConfig(**TRAINED).identity()
    assert ProblemConfig(**TRAINED, early_stopping="median").identity()["early_stopping"] == "median"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"early_stopping": "medain"}, "Did you mean median"),
        ({"early_stopping_option": {"startup": 3}}, "needs --early-stopping"),
        ({"early_stopping": "median", "early_stopping_option": {"percentile": 25}}, "or --early-stopping percentile"),
        ({"early_stopping": "percentile"}, "percentile=25"),
        ({"early_stopping": "median", "early_stopping_option": {"startupp": 3}}, "startup"),
        ({"early_stopping": "median", "early_stopping_option": {"startup": 0}}, "at least 1"),
        ({"early_stopping": "median", "objective": ("val_accuracy", "params:min")}, "by val_accuracy alone"),
        ({"early_stopping": "median", "objective": ("val_accuracy - 0.1 * params",)}, "by val_accuracy alone"),
        ({"early_stopping": "median", "task": "cora", "space": "nasbench-graph", "evaluator": "auto"}, "are trained"),
    ],
)
def test_what_cannot_be_stopped_early_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(GennasError, match=message):
        make_problem(ProblemConfig(**{**TRAINED, **settings}))


SUM = "val_accuracy - 0.1 * params:max"


@pytest.mark.parametrize(
    "settings",
    [
        {"evaluator": "train"},
        {"evaluator": "train", "objective": (SUM,)},
        {"proxy": "params,synflow", "objective": ("synflow - 0.1 * params",)},
        {"proxy": "synflow", "objective": ("synflow",)},
        {"evaluator": lambda arch: 1.0, "objective": ("score",)},
        {"evaluator": TrainEvaluator(NASBench201(), make_task("digits")), "task": None, "objective": (SUM,)},
    ],
)
def test_the_task_is_known_whatever_is_wanted(settings: dict[str, Any]) -> None:
    problem = make_problem(ProblemConfig(**{"space": "nasbench201", "task": "digits", **settings}))
    assert problem.task is not None and problem.task.name == "digits"


def test_a_sum_hides_nothing_of_what_evaluates() -> None:
    plain, summed = (
        make_problem(ProblemConfig(space="nasbench201", task="digits", evaluator="train", objective=goals))
        for goals in ((), (SUM,))
    )
    assert (
        resolved_values(SearchConfig(), summed)["train_option"]
        == resolved_values(SearchConfig(), plain)["train_option"]
    )
    assert summed.evaluator is not summed.measured_by and plain.evaluator is plain.measured_by
    assert type(summed.measured_by) is type(plain.evaluator)
    assert summed.evaluator.imports == plain.evaluator.imports  # type: ignore[attr-defined]
    config = ProblemConfig(
        proxy="params,synflow", space="nasbench201", objective=("synflow - 0.1*params", "params:min")
    )
    strategy = make_strategy("random", {}, make_problem(replace(config, cheap=("params",))), 0)
    assert strategy.screen is not None and strategy.screen.measure_all is not None


def test_where_nothing_is_trained_there_is_no_task() -> None:
    assert make_problem(ProblemConfig(space="nasbench-graph", task="cora")).task is None
    assert make_problem(ProblemConfig(space="nasbench201", proxy="synflow", objective=("synflow",))).task is None
