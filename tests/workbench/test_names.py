"""Columns with names of the real world, wherever a metric is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.errors import ConfigError, GennasError
from gennas.generators.conditions import ConditionScale, ask
from gennas.spaces import NASBench201
from gennas.workbench.config import ProblemConfig, SearchConfig
from gennas.workbench.problem import make_problem
from gennas.workbench.run import open_run, run_search

NAMES = ("val/acc", "latency (ms)", "acc:ema", "acc+ema", "Top-1 (%)", "loss - x", "2*acc", "a<=b", "a,b", "[x]")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    space, rng = NASBench201(), np.random.default_rng(0)
    archs = space.sample(60, rng).unique()
    columns = {name: 1 + rng.random(len(archs)) for name in (*NAMES, "acc", "ema")}
    pd.DataFrame({"arch": [space.to_text(a) for a in archs], **columns}).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def problem(table: Path, *objective: str, **more: object):
    return make_problem(ProblemConfig.from_dict({"table": str(table), "objective": objective, **more}))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_an_objective_a_constraint_a_limit_cheap_and_reported(table: Path, name: str) -> None:
    for text in (name, f"{name}:min", f'"{name}":min'):
        assert problem(table, text).objectives.primary.metric == name
    for written in (name, f'"{name}"'):
        found = problem(
            table, "acc", constraint=[f"{written}<=1.9"], report=written, cheap=[written], limit=[f"{written}=5"]
        )
        assert (found.report, found.cheap, found.limits) == (name, (name,), {name: 5.0})
        assert found.objectives.constraints[0].metric == name and found.objectives.constraints[0].bound == 1.9


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_part_of_a_sum(table: Path, name: str) -> None:
    for written in (name, f'"{name}"'):
        found = problem(table, f"ema - 0.5 * {written}:min", constraint=[f"{name}<=1.9"])
        columns = found.table.columns
        np.testing.assert_allclose(
            found.objective_values[:, 0], 0.5 * columns[name][found.feasible_rows] - columns["ema"][found.feasible_rows]
        )


def test_a_column_wins_over_a_sum_and_quotes_settle_the_rest(table: Path) -> None:
    assert problem(table, "acc+ema").objectives.primary.metric == "acc+ema"
    both = problem(table, "acc + ema")
    assert both.objective_values[0, 0] == both.table.columns["acc"][0] + both.table.columns["ema"][0]


def test_wrong_names_and_directions_are_still_said(table: Path) -> None:
    with pytest.raises(ConfigError, match="METRIC:max"):
        problem(table, "acc:best")
    with pytest.raises(GennasError, match="Did you mean val/acc"):
        problem(table, "val/ac:max")
    with pytest.raises(GennasError, match=r"Did you mean Top-1 \(%\)"):
        problem(table, "acc", report="Top-1 %")


def test_a_run_with_such_names_is_read_again(table: Path, tmp_path: Path) -> None:
    config = SearchConfig(
        table=str(table), objective=("val/acc - 0.1 * latency (ms)", "acc:ema:max"), constraint=("Top-1 (%)<=1.99",),
        strategy="random", budget=5, out=tmp_path / "run", limit=["latency (ms)=1000"],
    )  # fmt: skip
    run = run_search(config)
    again = open_run(tmp_path / "run")
    assert again.summary()["pareto"] == run.summary()["pareto"]
    assert run_search(config, report=False).result.n_evals == 5


@pytest.mark.parametrize("name", NAMES)
def test_generators_are_asked_for_such_names(name: str) -> None:
    scales = [ConditionScale(name, "max", (0.5, 0.6)), ConditionScale("ms", "min", (1.0, 2.0))]
    for written in (name, f'"{name}"'):
        assert ask(f"{written} >= 0.9q, ms<=0.25q", scales).tolist() == [0.9, 0.75]
