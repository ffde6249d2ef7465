"""From settings to a run directory and back: what is written, continued, refused and read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

import gennas
from gennas.errors import ArchiveError, ConfigError, GennasError, UnknownNameError
from gennas.search import Archive, Trial
from gennas.search.strategies import LocalSearch, RandomSearch
from gennas.spaces import MacroChain, NASBench201, TaskSpec
from gennas.training import Task
from gennas.workbench.config import SearchConfig
from gennas.workbench.directory import read_config
from gennas.workbench.problem import make_problem
from gennas.workbench.run import Run, read_run, run_data, run_search, search

Maker = Callable[..., Run]


def keys(run: Run) -> list[str]:
    return [t.arch.key for t in run.result.trials]


# ---------------------------------------------------------------------- what is written


def test_the_directory_of_a_run(make_run: Maker, tmp_path: Path) -> None:
    run = make_run()
    assert {f.name for f in (tmp_path / "run").iterdir()} == {".lock", "config.yaml", "archive.sqlite", "summary.json"}
    make_run(report=True)
    assert "val_accuracy" in (tmp_path / "run" / "report.html").read_text()
    assert not list((tmp_path / "run").glob("*.tmp*")) and run.directory == tmp_path / "run"


def test_the_summary_is_that_of_the_trials(make_run: Maker, frame: pd.DataFrame, tmp_path: Path) -> None:
    run = make_run()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary == json.loads(json.dumps(run.summary()))
    best = max(run.result.trials, key=lambda t: t.metrics["val_accuracy"])
    assert run.best is best
    row = frame.set_index("arch").loc[summary["best"]["text"]].to_dict()
    assert summary["best"] == {"text": run.problem.space.to_text(best.arch), "key": best.arch.key, "metrics": row}
    assert [summary[name] for name in ("n_evals", "stopped")] == [8, "budget"]
    assert summary["optimum"] == pytest.approx(0.91)  # 42 chains: 0.50, 0.51, …, 0.91
    assert summary["config_hash"] == run.config.config_hash and summary["version"] == gennas.__version__
    assert summary["cost_s"] == pytest.approx(sum(t.cost["seconds"] for t in run.result.trials))
    assert [t["key"] for t in summary["pareto"]] == [best.arch.key]


def test_a_pareto_front_has_no_dominated_member(make_run: Maker, tmp_path: Path) -> None:
    run = make_run(objective=["val_accuracy:max", "layers:min"], budget=30)
    front = json.loads((tmp_path / "run" / "summary.json").read_text())["pareto"]
    points = [(t.metrics["val_accuracy"], -t.metrics["layers"]) for t in run.result.trials]
    expected = {p for p in points if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in points)}
    assert {(t["metrics"]["val_accuracy"], -t["metrics"]["layers"]) for t in front} == expected
    assert run.summary()["optimum"] is None  # of which of the two?


def test_settings_are_written_in_full_and_read_again(make_run: Maker, table: Path, tmp_path: Path) -> None:
    run = make_run(seed=3, constraint="layers<=1")
    content = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert content["version"] == gennas.__version__ and content["strategy"] == "random" and content["seed"] == 3
    assert content["space_option"] == {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}
    assert content["constraint"] == ["layers<=1"] and content["table"] == str(table)
    assert set(content) == {*run.config.to_dict(), "version"}
    assert read_config(tmp_path / "run") == run.config


def test_a_moved_run_is_read_where_it_is_now(make_run: Maker, tmp_path: Path) -> None:
    first = make_run()
    (tmp_path / "run").rename(tmp_path / "moved")
    assert read_config(tmp_path / "moved").out == tmp_path / "moved"
    run, archive = read_run(str(tmp_path / "moved"))
    archive.close()
    assert run.directory == tmp_path / "moved" and keys(run) == keys(first)
    assert not (tmp_path / "run").exists()


def test_a_run_builds_its_best_network(make_run: Maker) -> None:
    run = make_run()
    module = run.build(TaskSpec("image", (1, 8, 8), 3))
    spec, own = TaskSpec("image", (1, 8, 8), 3), run.problem.space.build(run.best.arch, TaskSpec("image", (1, 8, 8), 3))
    assert str(module) == str(own) and module.classifier.out_features == spec.num_outputs


def test_nothing_feasible_has_no_best(make_run: Maker, tmp_path: Path) -> None:
    run = make_run(constraint=["layers<=1", "val_accuracy>=0.91"], evaluator=_rarely, table=None)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["best"] is None
    assert run.result.pareto == [] and run.result.best is None
    with pytest.raises(GennasError, match=r"There is no best architecture\. No trial was feasible: loosen"):
        _ = run.best
    with pytest.raises(GennasError, match="No trial was feasible"):
        run.build(TaskSpec("image", (1, 8, 8), 3))


def _rarely(arch: object) -> dict[str, float]:
    """Never what is asked for."""
    return {"val_accuracy": 0.5, "layers": 2.0}


# ---------------------------------------------------------------------- who is told


class Told:
    """Keeps what a listener hears."""

    def __init__(self) -> None:
        self.trials: list[tuple[int, int]] = []
        self.best: list[float] = []

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        self.trials.append((trial.proposal.id, n_evals))
        self.best.append(incumbent.metrics["val_accuracy"] if incumbent else -1.0)

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        raise AssertionError("random search has no rounds")


def test_listeners_hear_of_every_trial_and_the_best_so_far(make_run: Maker) -> None:
    told = Told()
    run = make_run(listeners=[told])
    assert told.trials == [(i, i + 1) for i in range(8)]
    values = [t.metrics["val_accuracy"] for t in run.result.trials]
    assert told.best == [max(values[: i + 1]) for i in range(8)]


def test_the_problem_is_shown_before_the_first_trial_and_may_be_brought(make_run: Maker, tmp_path: Path) -> None:
    config = replace(make_run(budget=1).config, out=tmp_path / "other", budget=4)
    problem, told, seen = make_problem(config), Told(), []
    run = run_search(config, [told], lambda p: seen.append((p, len(told.trials))), report=False, problem=problem)
    assert seen == [(problem, 0)] and run.problem is problem and len(told.trials) == 4


# ---------------------------------------------------------------------- continuing


class Pairs(RandomSearch):
    """Proposes two at a time."""

    @property
    def batch_size(self) -> int:
        return 2


def test_a_finished_run_evaluates_nothing_again(make_run: Maker) -> None:
    calls: list[str] = []

    def judge(arch: object) -> float:
        calls.append("called")
        return 1.0

    settings = {"evaluator": judge, "table": None}
    first, before = make_run(**settings), len(calls)
    again = make_run(**settings)
    assert before == len(calls) == 8 and keys(again) == keys(first)


def test_an_interrupted_run_keeps_what_was_done(make_run: Maker, tmp_path: Path) -> None:
    class Impatient(Told):
        def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
            if n_evals == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_run(listeners=[Impatient()], strategy=Pairs)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["stopped"] == "interrupted" and summary["n_evals"] == 5
    run, archive = read_run(tmp_path / "run")
    archive.close()
    assert run.result.stopped == "unfinished" and len(run.result.trials) == 5  # each was kept as it arrived
    whole = make_run(out=tmp_path / "whole", strategy=Pairs)
    resumed = make_run(strategy=Pairs)
    assert resumed.result.stopped == "budget" and keys(resumed) == keys(whole)
    assert keys(run) == keys(whole)[:5]


def test_how_and_where_may_change(make_run: Maker) -> None:
    first = make_run()
    assert keys(make_run(executor="process", workers=1, time_limit_s=60.0)) == keys(first)
    more = make_run(budget=20, target=2.0, limit={"seconds": 1e9}, report=False)
    assert keys(more)[:8] == keys(first) and keys(more) == keys(make_run(budget=20, out=first.directory / "whole"))
    assert read_config(first.directory).budget == 20
    assert make_run(budget=3).result.stopped == "budget" and len(make_run(budget=3).result.trials) == 20


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "seed: 0 there, 1 now"),
        ({"strategy": "local-search"}, "strategy: 'random' there, 'local-search' now"),
        ({"strategy": LocalSearch}, "strategy: 'random' there, 'local-search' now"),
        ({"objective": "layers:min"}, "objective: [] there, ['layers:min'] now"),
        ({"constraint": "layers<=1"}, "constraint: [] there, ['layers<=1'] now"),
        ({"asynchronous": True}, "asynchronous: False there, True now"),
    ],
)
def test_another_search_in_the_same_place_is_refused(
    changes: dict[str, object], said: str, make_run: Maker, tmp_path: Path
) -> None:
    make_run()
    before = {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir()}
    with pytest.raises(ConfigError) as caught:
        make_run(**changes)
    assert said in str(caught.value) and "Use a new --out or the same settings." in str(caught.value)
    assert {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir()} == before


def test_a_class_and_its_name_are_the_same_strategy(make_run: Maker) -> None:
    assert keys(make_run(strategy=RandomSearch)) == keys(make_run())


def test_values_of_a_changed_table_are_not_mixed(make_run: Maker, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    frame.to_csv(path, index=False)
    make_run(table=str(path))
    frame.assign(val_accuracy=0.5).to_csv(path, index=False)
    with pytest.raises(ArchiveError, match="never pooled: use a new --out"):
        make_run(table=str(path))


@pytest.mark.parametrize(
    "changes",
    [
        {"space": "macro-chian"},
        {"strategy": "randon"},
        {"strategy_option": {"nothing": 1}},
        {"objective": "accuracy"},
        {"report": "loss"},
        {"constraint": "val_accuracy>=2"},
        {"limit": {"joules": 1.0}},
        {"cheap": "val_accuracy"},
        {"table": "missing.csv"},
    ],
)
def test_bad_settings_write_nothing(changes: dict[str, object], table: Path, tmp_path: Path) -> None:
    base = {"space": "macro-chain", "table": str(table), "strategy": "random", "out": tmp_path / "run"}
    base["space_option"] = {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}
    with pytest.raises(GennasError):
        run_search(SearchConfig.from_dict({**base, **changes}), report=False)
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------- ends


def test_the_target_is_noted_as_the_reason_to_stop(make_run: Maker, tmp_path: Path) -> None:
    run = make_run(target=0.5, budget=30, strategy=Pairs)  # every chain is that good
    assert run.summary()["stopped"] == "target" and len(run.result.trials) == 1  # not all of its pair
    again, archive = read_run(run.directory)
    archive.close()
    assert len(again.result.trials) == 1 and again.config.target == 0.5 and again.result.stopped == "target"


def test_a_limit_is_noted_as_the_reason_to_stop(make_run: Maker) -> None:
    run = make_run(limit={"layers": 5}, budget=30)
    spent = [t.metrics["layers"] for t in run.result.trials]
    assert run.summary()["stopped"] == "limit" and sum(spent) >= 5 > sum(spent[:-1])


# ---------------------------------------------------------------------- reading


def test_an_opened_run_says_what_the_search_said(make_run: Maker, tmp_path: Path) -> None:
    run = make_run(budget=12, objective=["val_accuracy:max", "layers:min"])
    again, archive = read_run(tmp_path / "run")
    archive.close()
    assert again.summary() == run.summary() and again.config == run.config
    assert [t.metrics for t in again.result.trials] == [t.metrics for t in run.result.trials]
    assert again.result.best == run.result.best and again.result.pareto == run.result.pareto


def test_metrics_of_an_evaluator_that_is_gone_are_remembered(make_run: Maker, tmp_path: Path) -> None:
    make_run(evaluator=lambda arch: {"layers": float(arch.decisions[0]), "x": 2.0}, objective="layers:min", table=None)
    run, archive = read_run(tmp_path / "run")
    archive.close()
    assert {n: m.direction for n, m in run.problem.evaluator.metrics.items()} == {"layers": "min"}
    with pytest.raises(GennasError, match="not at hand: only its records can be read"):
        run.problem.evaluator.evaluate(run.best.arch, run.problem.fidelity, 0)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda out: (out / "config.yaml").unlink(), ConfigError, "config.yaml"),
        (lambda out: (out / "config.yaml").write_text("- a list\n"), ConfigError, "config.yaml"),
        (lambda out: (out / "config.yaml").write_text("space: [unclosed\n"), ConfigError, "config.yaml"),
        (lambda out: (out / "config.yaml").write_text("budgte: 3\n"), UnknownNameError, "Did you mean budget"),
        (lambda out: (out / "config.yaml").write_text("budget: lots\n"), ConfigError, "whole number, got 'lots'"),
        (lambda out: (out / "archive.sqlite").unlink(), ConfigError, "holds no archive.sqlite; expected the --out"),
        (lambda out: (out / "archive.sqlite").write_bytes(b"no database" * 500), ArchiveError, "archive"),
    ],
)
def test_a_damaged_directory_is_refused(
    spoil: Callable[[Path], object], error: type[Exception], said: str, make_run: Maker, tmp_path: Path
) -> None:
    make_run(budget=2)
    if said != "archive":
        archive = Archive(tmp_path / "run" / "archive.sqlite", make_run(budget=2).problem.space)
        archive.drop_meta("config")  # as of version 0.1.0
        archive.close()
    spoil(tmp_path / "run")
    with pytest.raises(error) as caught:
        read_run(tmp_path / "run")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", [None, "- a list\n", "space: nasbench201\nstrategy: local-search\n"])
def test_the_archives_own_copy_of_the_settings_decides(text: str | None, make_run: Maker, tmp_path: Path) -> None:
    first, file = make_run(), tmp_path / "run" / "config.yaml"
    before = file.read_text()
    file.unlink() if text is None else file.write_text(text)
    run, archive = read_run(tmp_path / "run")
    archive.close()
    assert keys(run) == keys(first) and run.config == first.config
    assert keys(make_run()) == keys(first) and file.read_text() == before
    with pytest.raises(ConfigError, match="strategy: 'random' there, 'local-search' now"):
        make_run(strategy="local-search")


def test_an_empty_folder_is_no_run_and_gets_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_trial_is_named(make_run: Maker, tmp_path: Path) -> None:
    make_run(budget=2)
    with sqlite3.connect(tmp_path / "run" / "archive.sqlite") as db:
        db.execute("UPDATE trials SET metrics = '{broken' WHERE id = 1")
    db.close()
    with pytest.raises(ArchiveError, match="a stored trial cannot be read"):
        read_run(tmp_path / "run")


def test_a_lost_table_is_named(make_run: Maker, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    frame.to_csv(path, index=False)
    make_run(table=str(path))
    path.unlink()
    with pytest.raises(GennasError, match=r"own\.csv"):
        read_run(tmp_path / "run")


def test_what_a_report_shows_of_a_run(make_run: Maker, tmp_path: Path) -> None:
    run = make_run(budget=12)
    again, archive = read_run(tmp_path / "run")
    data = run_data(again, archive)
    archive.close()
    assert data.config["strategy"] == "random" and data.version == gennas.__version__ and data.rounds == []
    assert data.report_metric == "test_accuracy" and data.optimum == pytest.approx(0.91)
    assert data.best == run.best and data.texts(run.best.arch) == run.problem.space.to_text(run.best.arch)
    assert data.wall_s == run.result.wall_s > 0
    assert data.regret(run.best) == pytest.approx(0.91 - run.best.metrics["val_accuracy"])
    changed, usual = ({name for name, _ in settings} for settings in data.changed_settings())
    assert {"table", "budget", "strategy"} <= changed and {"seed", "workers"} <= usual


def test_a_space_as_an_object_is_found_by_its_class(make_run: Maker, chains: MacroChain, tmp_path: Path) -> None:
    named, given = make_run(), make_run(space=chains, space_option={}, out=tmp_path / "given")
    assert keys(named) == keys(given)
    again, archive = read_run(tmp_path / "given")
    archive.close()
    assert again.problem.space.schema.fingerprint == chains.schema.fingerprint != NASBench201().schema.fingerprint


def test_a_search_by_training_keeps_learning_curves(blobs: Task, chains: MacroChain, tmp_path: Path) -> None:
    settings = {"space": chains, "task": blobs, "strategy": "random", "budget": 2, "epochs": 3}
    run = search(**settings, objective="val_accuracy - 1e-9 * params", executor="serial", out=tmp_path / "run")
    again, archive = read_run(tmp_path / "run")
    for trial in again.result.trials:
        assert set(trial.curves) == {"val_accuracy", "val_loss", "train_loss"}
        assert len(trial.curves["val_loss"]) == 3 and trial.curves["train_loss"][-1] == trial.metrics["train_loss"]
    assert run_data(again, archive).curves == {t.proposal.id: t.curves for t in run.result.trials}
    archive.close()
