"""What a person sees: at 80 columns, with all kinds of values."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gennas import SearchConfig
from gennas.cli.terminal import SearchDisplay, format_value, print_metrics, print_run, time_left
from gennas.eval.base import Metric
from gennas.graph import Architecture
from gennas.spaces import NASBench201
from gennas.workbench.run import search


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.123456789, "0.12346"),
        (94.37, "94.37"),
        (1234.0, "1,234"),
        (999.0, "999"),
        (1234.5, "1234.5"),
        (1e-9, "1e-09"),
        (-2000.0, "-2,000"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert format_value(value) == text


def console() -> Console:
    return Console(file=io.StringIO(), width=80)


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def decisions(arch: Architecture) -> dict[str, float]:
    if arch.decisions.sum() % 5 == 0:
        raise ValueError("a multiple of five")
    return {"score": float(arch.decisions.sum()), "size": 2000.0}


def run_of(tmp_path: Path, **settings: object):
    return search(
        space=NASBench201(),
        evaluator=decisions,
        strategy="random",
        budget=12,
        out=tmp_path / "run",
        report=False,
        **settings,
    )


def test_a_run_is_summed_up(tmp_path: Path) -> None:
    run, shown = run_of(tmp_path, objective="score:max", constraint="size<=3000"), console()
    print_run(run, shown)
    text = text_of(shown)
    assert "Best architectures" in text and "2,000" in text and "12 evaluations in" in text
    failed = sum(not t.ok for t in run.result.trials)
    assert failed and f"{failed} failed" in text
    assert f"{run.best.metrics['score']:g}" in text and "report.html" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_feasible_is_said(tmp_path: Path) -> None:
    run, shown = run_of(tmp_path, objective="score:max", constraint="size<=1000"), console()
    print_run(run, shown)
    assert "No trial was feasible" in text_of(shown)


def test_progress_of_a_search(tmp_path: Path) -> None:
    run, shown = run_of(tmp_path), console()
    with SearchDisplay(replace(SearchConfig(), budget=12), shown) as display:
        display.begin(run.problem)
        for n, trial in enumerate(run.result.trials, start=1):
            if n == 5:
                display.on_start(4)
            display.on_trial(trial, n, run.result.best)
        display.on_round(12, {"round": 3})
    head = text_of(shown).splitlines()[0]
    assert head.startswith("nasbench201 (15,625 architectures)") and "decisions" in head and "score:max" in head
    assert "seed 0" in " ".join(text_of(shown).split()) and "12/12" in text_of(shown)
    # Without a terminal: a line for the first evaluation and the last, the others came too quickly.
    lines = text_of(shown).splitlines()
    assert [line.split(" ")[0] for line in lines if "left" in line] == ["5/12", "12/12"]
    assert "Continuing after 4 evaluations." in lines


def test_rate_and_time_left_are_of_what_is_evaluated_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, clock = run_of(tmp_path), [100.0]
    monkeypatch.setattr("gennas.cli.terminal.time.monotonic", lambda: clock[0])
    display = SearchDisplay(replace(SearchConfig(), budget=100), console())
    display.begin(run.problem)
    for n in range(1, 81):  # from the archive, at once
        display.on_trial(run.result.trials[0], n, None)
    assert display.rate == 0.0 and time_left(100, 80, display.rate) == "-:--:--"
    display.on_start(80)
    for n in range(81, 86):
        clock[0] += 4.0
        display.on_trial(run.result.trials[0], n, None)
    assert display.rate == pytest.approx(0.25) and time_left(100, 85, display.rate) == "0:01:00"
    assert display._progress.tasks[0].fields["rate"] == pytest.approx(0.25)


def test_a_class_as_strategy_has_a_name() -> None:
    from gennas.search.strategies import RandomSearch

    shown = console()
    with SearchDisplay(SearchConfig(strategy=RandomSearch), shown) as display:
        assert display._progress.tasks[0].description == "random"


def test_metrics_with_units(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"a": Metric("a", "max", "%"), "b": Metric("b", "min", "ms")}
    print_metrics("the title", {"a": 93.5, "b": math.nan}, metrics)
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title == "the title" and header.split() == ["metric", "value", "unit", "better"]
    assert [row.split() for row in rows] == [["a", "93.5", "%", "max"], ["b", "–", "ms", "min"]]
