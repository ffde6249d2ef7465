"""A supernet from the command line: trained, searched with, charged once, and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gennas.cli.main import main
from gennas.errors import ConfigError
from gennas.search.trial import Trial
from gennas.workbench.compare import run_comparison
from gennas.workbench.config import CompareConfig, SearchConfig
from gennas.workbench.run import open_run, read_run, search

Reader = Callable[[Any], list[Any]]
TRAIN = ["--space", "nasbench201", "--space-option", "num_cells=1", "--space-option", "width=4", "--task", "digits"]


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "supernet"
    assert main(["train-supernet", *TRAIN, "--method", "spos", "--epochs", "1", "--out", str(out)]) == 0
    return out


def seconds(supernet: Path) -> float:
    return float(json.loads((supernet / "supernet.json").read_text())["seconds"])


def page(run: Path) -> str:
    """The report's section on the supernet, written again from the archive."""
    assert main(["report", str(run)]) == 0
    return (run / "report.html").read_text().partition('id="supernet"')[2].partition("</section>")[0]


def test_any_strategy_searches_by_it_and_is_charged_once(supernet: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ["search", "--evaluator", "supernet", "--supernet", str(supernet), "--out", str(out)]
    flags += ["--evaluator-option", "batch_norm=batch", "--strategy", "regularized-evolution"]
    assert main([*flags, "--budget", "4"]) == 0
    assert main([*flags, "--budget", "8"]) == 0  # goes on: nothing is charged again
    summary = json.loads((out / "summary.json").read_text())
    spent = seconds(supernet)
    assert summary["n_evals"] == 8 and summary["supernet_s"] == pytest.approx(spent)
    assert summary["cost_s"] > spent
    assert set(summary["best"]["metrics"]) == {"inherited_accuracy", "inherited_loss", "params", "params_m"}
    flags = ["train", "--from", str(out), "--epochs", "1", "--inherit", str(supernet)]
    assert main([*flags, "--save", str(tmp_path / "net.safetensors")]) == 0 and (tmp_path / "net.safetensors").exists()
    page = (out / "report.html").read_text()
    assert "of training before the search, charged to it" in page and "training the supernet" in page
    run = open_run(out)
    paid = [t for t in run.result.trials if "supernet_seconds" in t.cost]
    assert len(paid) == 1 and paid[0].proposal.id == 0
    assert run.problem.space.options == {"num_cells": 1, "width": 4} and run.config.task == "digits"
    assert run.problem.objectives.primary.metric == "inherited_accuracy"


def test_the_charge_counts_for_limits(supernet: Path, tmp_path: Path) -> None:
    run = search(
        evaluator="supernet", supernet=supernet, strategy="random", budget=20, out=tmp_path / "run", report=False,
        limit={"seconds": seconds(supernet)},
    )  # fmt: skip
    assert run.result.n_evals == 1 and run.result.stopped == "limit"


def test_a_run_is_read_without_its_supernet(supernet: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    for file in supernet.iterdir():
        if file.is_file():
            (gone / file.name).write_bytes(file.read_bytes())
    search(evaluator="supernet", supernet=gone, strategy="random", budget=2, out=tmp_path / "run", report=False)
    found = [page(tmp_path / "run")]
    (gone / "supernet.json").write_text('{"damaged": true}')
    found.append(page(tmp_path / "run"))
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    run = open_run(tmp_path / "run")
    assert run.result.n_evals == 2 and run.best is not None
    found.append(page(tmp_path / "run"))
    said = ("was not checked against networks", "cannot be read", "There is no trained supernet")
    assert [[text in page for text in said] for page in found] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_comparisons_show_both_axes(supernet: Path, tmp_path: Path) -> None:
    config = CompareConfig(
        evaluator="supernet", supernet=supernet, strategies="random,local-search", seeds=2, budget=4, out=tmp_path / "c"
    )
    told: list[str] = []
    comparison = run_comparison(config, on_note=told.append)
    spent = seconds(supernet)
    assert list(comparison.summary["supernet_s"]) == pytest.approx([spent, spent])
    assert (comparison.curves["seconds"] > spent).all() and comparison.charged
    assert any("charged" in note for note in told)


def test_contradictions_are_refused(supernet: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both or neither"):
        SearchConfig(evaluator="supernet")
    with pytest.raises(ConfigError, match="both or neither"):
        SearchConfig(supernet=supernet)
    common = ["search", "--evaluator", "supernet", "--supernet", str(supernet), "--out", str(tmp_path / "r")]
    for flags in (
        ["--space", "nasbench101"],
        ["--space", "nasbench201", "--task", "digits"],  # of another width
        ["--epochs", "2"],
        ["--measure", "ece"],
        ["--train-option", "lr=1"],
        ["--evaluator-option", "batch_norm=other"],
    ):
        assert main([*common, *flags]) == 2
    assert not (tmp_path / "r").exists()
    assert main(["train-supernet", "--space", "nasbench101", "--task", "digits", "--out", str(tmp_path / "s")]) == 2
    assert main(["train-supernet", *TRAIN, "--method", "sposs", "--out", str(tmp_path / "s")]) == 2
    assert not (tmp_path / "s").exists()


def read_rounds(directory: Path) -> list[Mapping[str, float]]:
    _, archive = read_run(directory)
    try:
        return list(archive.rounds())
    finally:
        archive.close()


class _Hears:
    """Notes what a strategy's training says."""

    def __init__(self) -> None:
        self.told: list[tuple[int, set[str]]] = []

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Nothing."""

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Nothing."""

    def on_training(self, epoch: int, values: Mapping[str, float]) -> None:
        """Note it."""
        self.told.append((epoch, set(values)))


def test_a_one_shot_search_for_a_sum_knows_its_task(tmp_path: Path) -> None:
    run = search(
        space="nasbench201", space_option={"num_cells": 1, "width": 4}, task="digits", evaluator="train", epochs=1,
        objective=("val_accuracy - 0.1 * params:max",), strategy="one-shot",
        strategy_option={"method": "gdas", "epochs": 1}, budget=1, out=tmp_path / "run",
    )  # fmt: skip
    assert [t.proposal.origin.source for t in run.result.trials] == ["gdas"]


def test_a_one_shot_search_tells_how_its_training_goes(tmp_path: Path) -> None:
    hears = _Hears()
    run = search(
        space="nasbench201", space_option={"num_cells": 1, "width": 4}, task="digits", evaluator="train", epochs=1,
        strategy="one-shot", strategy_option={"method": "gdas", "epochs": 1}, budget=1, out=tmp_path / "run",
        report=True, listeners=[hears],
    )  # fmt: skip
    assert run.result.n_evals == 1
    assert [epoch for epoch, _ in hears.told] == [1]
    assert {"train_loss", "val_accuracy", "alpha_entropy", "skip_share"} <= hears.told[0][1]
    section = (tmp_path / "run" / "report.html").read_text().partition('id="supernet"')[2].partition("</section>")[0]
    assert "proposed what it likes best" in section and str(tmp_path / "run" / "one_shot") in section
    (rounds,) = [record for record in read_rounds(tmp_path / "run") if "alpha_entropy" in record]
    assert not [name for name in rounds if "/" in name]  # those of single decisions are in supernet.json


# ------------------------------------------------------------------ W&B

TUNED = ["--track", "wandb", "--wandb-project", "gennas-tests"]


def written(found: list[Any]) -> dict[str, Any]:
    """The summary among the records of a W&B run."""
    kept = [u for r in found if r.WhichOneof("record_type") == "summary" for u in r.summary.update]
    return {u.key: json.loads(u.value_json) for u in kept if u.key}


def test_a_supernet_and_a_search_by_it_tell_wandb_what_is_documented(
    tmp_path: Path, offline_records: Reader, history: Reader
) -> None:
    net, out = tmp_path / "net", tmp_path / "run"
    flags = ["--method", "gdas", "--epochs", "2", "--train-option", "batch_size=512", "--diagnose", "3"]
    assert main(["train-supernet", *TRAIN, *flags, "--out", str(net), *TUNED]) == 0
    found = offline_records(net)
    run = next(r.run for r in found if r.WhichOneof("record_type") == "run")
    assert run.project == "gennas-tests" and run.display_name.startswith("supernet-nasbench201")
    rows = [row for row in history(found) if "train/loss" in row]
    single = {"alpha_entropy/00_edge_0-1", "alpha_entropy/05_edge_2-3"}
    keys = {"train/loss", "val/loss", "val/accuracy", "alpha_entropy", "skip_share", *single}
    assert [row["epoch"] for row in rows] == [1, 2] and all(keys <= set(row) for row in rows)
    curves = json.loads((net / "supernet.json").read_text())["curves"]
    assert [row["alpha_entropy/05_edge_2-3"] for row in rows] == curves["alpha_entropy/05_edge_2-3"]
    drawn = [r.metric for r in found if r.WhichOneof("record_type") == "metric"]
    assert ("*", "epoch") in [(metric.glob_name, metric.step_metric) for metric in drawn]
    kept = written(found)
    assert kept["supernet_seconds"] == seconds(net)
    assert {"tau_inherited", "tau_params", "discretisation_gap", "diagnosis_seconds"} <= set(kept)

    flags = ["--evaluator", "supernet", "--supernet", str(net), "--strategy", "random", "--budget", "3"]
    assert main(["search", *flags, "--out", str(out), *TUNED]) == 0
    found = offline_records(out)
    rows = [row for row in history(found) if "trial/ok" in row]
    keys = {"trial/inherited_accuracy", "incumbent/inherited_accuracy", "cost/seconds", "cost/supernet_seconds"}
    assert [row["n_evals"] for row in rows] == [1, 2, 3] and all(keys <= set(row) for row in rows)
    assert {row["cost/supernet_seconds"] for row in rows} == {seconds(net)}
    assert rows[0]["cost/seconds"] > seconds(net)


def test_a_one_shot_search_tells_wandb_how_its_training_goes(
    tmp_path: Path, offline_records: Reader, history: Reader
) -> None:
    flags = ["search", *TRAIN, "--evaluator", "train", "--epochs", "1", "--strategy", "one-shot", "--budget", "1"]
    flags += ["--strategy-option", "method=gdas", "--strategy-option", "epochs=1", "--out", str(tmp_path / "run")]
    assert main([*flags, *TUNED]) == 0
    (row,) = [row for row in history(offline_records(tmp_path / "run")) if "supernet/epoch" in row]
    keys = {"supernet/train_loss", "supernet/alpha_entropy", "supernet/alpha_entropy/00_edge_0-1"}
    assert row["supernet/epoch"] == 1 and keys | {"supernet/skip_share"} <= set(row)
