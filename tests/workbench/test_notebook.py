"""What a notebook shows of a run, and its trials as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from gennas import open_run
from gennas.spaces import NASBench201
from gennas.workbench.run import Run, search

Maker = Callable[..., Run]


def test_live_and_opened_runs_have_the_same_trials(make_run: Maker, tmp_path: Path) -> None:
    run = make_run()
    trials = run.trials()
    assert list(trials)[:6] == ["id", "arch", "key", "status", "source", "round"]
    assert {"val_accuracy", "test_accuracy", "layers", "cost_seconds"} < set(trials) and list(trials)[-1] == "error"
    assert trials["val_accuracy"].max() == run.best.metrics["val_accuracy"] and len(trials) == 8
    pd.testing.assert_frame_equal(open_run(str(tmp_path / "run")).trials(), trials)


def test_failures_are_rows_without_values(tmp_path: Path) -> None:
    def sometimes(arch):
        if arch.decisions.sum() % 2:
            raise ValueError("odd")
        return float(arch.decisions.sum())

    run = search(
        space=NASBench201(), evaluator=sometimes, strategy="random", budget=20, out=tmp_path / "run", report=False
    )
    trials = run.trials()
    failed = trials[trials["status"] == "failed"]
    assert 0 < len(failed) < 20 and failed["score"].isna().all() and failed["error"].str.contains("odd").all()
    assert trials["score"].dtype == float and len(trials) == 20


def test_a_run_in_a_line_and_as_a_page(make_run: Maker) -> None:
    run = make_run(report=True)
    best = run.best.metrics["val_accuracy"]
    line = f"Run(macro-chain, random: 8 evaluations, best val_accuracy {best:.5g}, {run.directory})"
    assert repr(run) == line
    html = run._repr_html_()
    assert html.count("<svg") == 1 and html.count("<tr>") == 6 and f'href="{run.directory}/report.html"' in html
    assert run.problem.space.to_text(run.best.arch) in html and "test_accuracy" in html


def test_nothing_feasible_is_shown_as_such(make_run: Maker) -> None:
    run = make_run(
        table=None, evaluator=lambda arch: {"gain": 1.0, "size": 2.0}, objective="gain", constraint="size<=1"
    )
    assert "nothing feasible" in repr(run) and "<svg" not in run._repr_html_() and "href" not in run._repr_html_()


def test_leaders_of_several_objectives_are_the_front(make_run: Maker) -> None:
    run = make_run(objective=["val_accuracy:max", "layers:min"], budget=30)
    accuracies = [t.metrics["val_accuracy"] for t in run.leaders(10)]
    assert {t.arch.key for t in run.leaders(10)} == {t.arch.key for t in run.result.pareto}
    assert accuracies == sorted(accuracies, reverse=True) and len(run.leaders(1)) == 1


def test_part_of_a_large_front_holds_both_ends(tmp_path: Path) -> None:
    def price(arch):
        return {"gain": float(arch.decisions.sum()), "size": float(arch.decisions.sum())}

    run = search(
        space=NASBench201(), evaluator=price, objective=("gain:max", "size:min"), strategy="random", budget=60,
        out=tmp_path / "<run>", report=False,
    )  # fmt: skip
    gains = [t.metrics["gain"] for t in run.leaders(4)]
    everything = [t.metrics["gain"] for t in run.result.pareto]
    assert len(everything) > 4 == len(gains) and (gains[0], gains[-1]) == (max(everything), min(everything))
    assert "<run>" not in run._repr_html_()
