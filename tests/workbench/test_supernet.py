"""A supernet from the command line: trained, searched with, charged once, and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gennas.cli.main import main
from gennas.errors import ConfigError
from gennas.search.trial import Trial
from gennas.workbench.compare import run_comparison
from gennas.workbench.config import CompareConfig, SearchConfig
from gennas.workbench.run import open_run, search

TRAIN = ["--space", "nasbench201", "--space-option", "num_cells=1", "--space-option", "width=4", "--task", "digits"]


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "supernet"
    assert main(["train-supernet", *TRAIN, "--method", "spos", "--epochs", "1", "--out", str(out)]) == 0
    return out


def seconds(supernet: Path) -> float:
    return float(json.loads((supernet / "supernet.json").read_text())["seconds"])


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
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    run = open_run(tmp_path / "run")
    assert run.result.n_evals == 2 and run.best is not None


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
    assert "alpha_entropy" in (tmp_path / "run" / "report.html").read_text()
