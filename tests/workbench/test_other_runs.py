"""Runs on other tasks as a warm start: read as data, counted apart."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gennas.cli.main import main
from gennas.errors import ArchiveError, ConfigError, TableError
from gennas.search import STRATEGIES, Objective, Objectives
from gennas.search.trial import WARM
from gennas.spaces import NASBench201
from gennas.workbench.config import SearchConfig
from gennas.workbench.equip import other_runs_note
from gennas.workbench.other_runs import read_other_runs
from gennas.workbench.problem import make_problem
from gennas.workbench.run import Run, open_run

CHAINS = {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}
BAYESIAN = {"strategy": "bayesian", "strategy_option": {"pool_size": 20, "warm_start": 4}}


@pytest.fixture
def other(make_run: Callable[..., Run], tmp_path: Path) -> Path:
    """A run for fewer layers."""
    return make_run(objective="layers:min", out=tmp_path / "other").directory


def read(table: Path, *names: object, **settings: Any) -> Any:
    config = SearchConfig(
        space="macro-chain", space_option=CHAINS, table=str(table), warm_from=tuple(map(str, names)), **settings
    )
    return read_other_runs(config, make_problem(config))


def test_a_run_counts_by_its_own_objective(other: Path, table: Path) -> None:
    (run,) = read(table, other)
    (same,) = read(table, other / "archive.sqlite")
    assert run.goal == "layers:min" and len(run) == 8
    assert set(run.values) <= {-1.0, -2.0} and same.archs.keys == run.archs.keys


def test_a_table_counts_by_what_this_search_is_for(table: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.iloc[:6].to_csv(tmp_path / "few.csv", index=False)
    (run,) = read(table, tmp_path / "few.csv")
    assert run.goal == "val_accuracy:max" and run.values.tolist() == frame["val_accuracy"][:6].tolist()
    frame[["arch", "layers"]].to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(TableError, match="no column 'val_accuracy'"):
        read(table, tmp_path / "other.csv")


def test_their_best_come_first_and_labels_are_counted_apart(
    other: Path, make_run: Callable[..., Run], table: Path, tmp_path: Path
) -> None:
    run = make_run(**BAYESIAN, warm_from=str(other), out=tmp_path / "new", report=True)
    (found,) = read(table, other)
    expected = [found.archs[int(row)] for row in found.best_first[:4]]
    assert [t.arch for t in run.result.trials[:4]] == expected
    assert {t.proposal.origin.source for t in run.result.trials[:4]} == {WARM}
    assert run.result.trials[0].proposal.origin.details == {"run": str(other)}
    assert run.result.n_evals == 8 and run.summary()["labels_of_other_runs"] == {str(other): 8}
    assert "labels of other runs" in (run.directory / "report.html").read_text()
    assert open_run(run.directory).summary()["labels_of_other_runs"] == {str(other): 8}


def test_damaged_numbers_of_labels_are_refused(other: Path, make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(strategy="random", warm_from=str(other), out=tmp_path / "new")
    with sqlite3.connect(run.directory / "archive.sqlite") as db:
        db.execute("UPDATE meta SET value = '{\"a\": \"x\"}' WHERE name = 'other_runs'")
    with pytest.raises(ArchiveError, match=r"numbers of labels of other runs, got \{'a': 'x'\}"):
        open_run(run.directory)


def test_continuing_proposes_the_same(other: Path, make_run: Callable[..., Run], tmp_path: Path) -> None:
    settings = {**BAYESIAN, "warm_from": str(other)}
    make_run(**settings, budget=3, out=tmp_path / "parts")  # not even the warm start
    make_run(**settings, budget=6, out=tmp_path / "parts")
    parts = make_run(**settings, budget=10, out=tmp_path / "parts")
    whole = make_run(**settings, budget=10, out=tmp_path / "whole")
    assert [t.arch for t in parts.result.trials] == [t.arch for t in whole.result.trials]
    assert make_run(**settings, budget=10, out=tmp_path / "parts").result.n_evals == 10


def test_a_run_that_has_grown_since_is_refused(other: Path, make_run: Callable[..., Run], tmp_path: Path) -> None:
    make_run(**BAYESIAN, warm_from=str(other), out=tmp_path / "new")
    make_run(objective="layers:min", out=other, budget=9)
    with pytest.raises(ArchiveError, match="--warm-from holds other values than when this search began"):
        make_run(**BAYESIAN, warm_from=str(other), out=tmp_path / "new", budget=9)


def test_strategies_without_a_surrogate_start_there_too(
    other: Path, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run(
        strategy="regularized-evolution", strategy_option={"population_size": 3, "sample_size": 2},
        warm_from=str(other), out=tmp_path / "new",
    )  # fmt: skip
    assert [t.proposal.origin.source for t in run.result.trials].count(WARM) == 3


@pytest.mark.parametrize("strategy", ["random", "biggest-first"])
def test_strategies_that_never_learn_say_that_they_have_no_use_for_it(
    strategy: str, other: Path, make_run: Callable[..., Run], table: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    flags = ["--space", "macro-chain", *(f"--space-option={k}={v}" for k, v in CHAINS.items()), "--table", str(table)]
    flags += ["--strategy", strategy, "--budget", "4", "--warm-from", str(other), "--out", str(tmp_path / "new")]
    assert main(["search", *flags]) == 0
    said = f"{strategy} never learns from labels and has no use for --warm-from: it proposes the same without."
    assert said in " ".join(capsys.readouterr().out.split())
    run = open_run(tmp_path / "new")
    assert "labels_of_other_runs" not in run.summary()
    alone = make_run(strategy=strategy, budget=4, out=tmp_path / "alone")
    assert [t.arch for t in run.result.trials] == [t.arch for t in alone.result.trials]


def test_whoever_has_a_use_for_it_says_nothing() -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    quiet = {name for name in ("bayesian", "nsga2", "local-search", "regularized-evolution", "cross-entropy")}
    for name in (*quiet, "one-shot"):
        strategy = STRATEGIES.get(name)(space, goals)
        assert other_runs_note(name, strategy, ()) == ""
        assert (other_runs_note(name, strategy, ("runs/a",)) == "") == (name in quiet)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"space_option": {**CHAINS, "widths": [4, 8]}}, "of the space macro-chain, got one of macro-chain with other"),
        ({"space": "nasbench201", "space_option": {}}, "of the space macro-chain, got one of 'nasbench201'"),
    ],
)
def test_another_space_is_refused_in_one_line(
    make_run: Callable[..., Run], table: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    run = make_run(out=tmp_path / "o", table=None, proxy="params", objective="params:max", budget=2, **{**change})
    with pytest.raises(ConfigError, match=reason) as found:
        read(table, run.directory)
    assert "\n" not in str(found.value)


def test_what_is_no_run_is_refused(make_run: Callable[..., Run], table: Path, other: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got nothing there"):
        read(table, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="names a run twice"):
        read(table, other, other / "archive.sqlite")
    with pytest.raises(ConfigError, match="own directory"):
        read(table, other, out=other)
    (tmp_path / "x.sqlite").write_text("no database")
    with pytest.raises(ArchiveError, match=r"x\.sqlite"):
        read(table, tmp_path / "x.sqlite")
    single = make_run(out=tmp_path / "single", budget=1).directory
    with pytest.raises(ConfigError, match="2 or more successful trials of val_accuracy:max, got 1"):
        read(table, single)


def test_a_run_whose_trials_all_failed_is_refused(other: Path, table: Path) -> None:
    with sqlite3.connect(other / "archive.sqlite") as db:
        db.execute("UPDATE trials SET status = 'failed', metrics = '{}'")
    with pytest.raises(ConfigError, match="successful trials of layers:min, got 0"):
        read(table, other)


def test_code_that_a_foreign_run_names_is_not_imported(other: Path, table: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    with sqlite3.connect(other / "archive.sqlite") as db:
        (text,) = db.execute("SELECT value FROM meta WHERE name = 'config'").fetchone()
        named = {"strategy": f"{tmp_path}/evil.py:S", "evaluator": f"{tmp_path}/evil.py:E"}
        db.execute("UPDATE meta SET value = ? WHERE name = 'config'", (json.dumps(json.loads(text) | named),))
    (run,) = read(table, other)
    assert len(run) == 8
