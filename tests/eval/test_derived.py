"""Weighted sums of metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY
from gennas.eval.derived import WeightedSum
from gennas.workbench.config import ProblemConfig, SearchConfig
from gennas.workbench.problem import make_problem
from gennas.workbench.run import run_search

SUM = "val_accuracy - 0.05 * params_m"


@pytest.mark.parametrize(
    ("text", "terms", "name"),
    [
        (
            "a - 1.2345678 * b_2",
            ((1.0, "a"), (-1.2345678, "b_2")),
            "a-1.2345678*b_2",
        ),
        ("-2 * a + 0.00001 * b", ((-2.0, "a"), (1e-5, "b")), "-2*a+1e-05*b"),
        ("a - 0.5 * b", ((1.0, "a"), (-0.5, "b")), "a-0.5*b"),
        ("2*a+b", ((2.0, "a"), (1.0, "b")), "2*a+b"),
        ("-a + 1e-3*b_2", ((-1.0, "a"), (0.001, "b_2")), "-a+0.001*b_2"),
    ],
)
def test_reading_and_writing(text: str, terms, name: str) -> None:
    found = WeightedSum.parse(text)
    assert found.terms == terms and found.name == name
    assert WeightedSum.parse(found.name) == found
    assert found({"a": 2.0, "b": 3.0, "b_2": 5.0}) == pytest.approx(eval(text, {"a": 2.0, "b": 3.0, "b_2": 5.0}))


@pytest.mark.parametrize("text", ["", "a b", "a -", "a + a", "3", "a * 2", "a - (b)"])
def test_what_is_no_sum(text: str) -> None:
    with pytest.raises(ConfigError, match="Expected a sum"):
        WeightedSum.parse(text)


def test_a_sum_over_a_table_is_optimised(tmp_path: Path) -> None:
    config = SearchConfig(
        space="nasbench-graph",
        task="cora",
        objective=(f"{SUM}:max",),
        strategy="random",
        budget=5,
        out=tmp_path / "run",
    )
    problem = make_problem(config)
    columns = problem.table.columns
    assert problem.optimum == (columns["val_accuracy"] - 0.05 * columns["params_m"]).max()
    run = run_search(config, report=True)
    best = run.best.metrics
    assert best["val_accuracy-0.05*params_m"] == pytest.approx(best["val_accuracy"] - 0.05 * best["params_m"])
    assert best["val_accuracy-0.05*params_m"] == max(t.metrics["val_accuracy-0.05*params_m"] for t in run.result.trials)


def test_a_sum_beside_another_objective_and_cheap_metrics() -> None:
    config = ProblemConfig(
        space="macro-chain", task="digits", evaluator="train", objective=(SUM, "latency_ms:min"), cheap=("latency_ms",)
    )
    with pytest.raises(ConfigError, match="cannot be a cheap metric"):
        make_problem(config)
    problem = make_problem(
        ProblemConfig(space="macro-chain", proxy="params,flops", objective=("params - 0.1 * flops",))
    )
    arch = problem.space.sample(1, np.random.default_rng(0))[0]
    values = problem.evaluator.evaluate(arch, FULL_FIDELITY, 0)
    assert values["params-0.1*flops"] == values["params"] - 0.1 * values["flops"]
    assert problem.evaluator.cheap(arch, FULL_FIDELITY)["params"] == values["params"]


def test_an_unknown_metric_in_a_sum() -> None:
    with pytest.raises(UnknownNameError, match="nothing"):
        make_problem(ProblemConfig(space="macro-chain", task="digits", objective=("val_accuracy - 0.1 * nothing",)))
