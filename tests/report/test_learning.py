"""Learning curves in a report."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gennas.report import learning
from gennas.report.data import RunData
from gennas.report.learning import learning_charts

MakeRun = Callable[..., RunData]


def curves_of(*ids: int) -> dict[int, dict[str, list[float]]]:
    return {i: {"train_loss": [2.0, 1.0 + i], "val_accuracy": [0.1, float("nan"), 0.1 * i]} for i in ids}


def test_a_run_without_curves_has_no_chart(make_run: MakeRun) -> None:
    assert learning_charts(make_run()) == []


def test_every_measured_name_has_a_chart_with_validation_first(make_run: MakeRun) -> None:
    charts = learning_charts(make_run(curves=curves_of(0, 2, 4)))
    json.dumps(charts, allow_nan=False)
    assert [name for name, _ in charts] == ["val_accuracy", "train_loss"]
    lines = charts[0][1]["data"]
    assert [line["name"] for line in lines] == ["evaluation 5", "evaluation 3", "evaluation 1"]  # the best first
    assert (lines[0]["x"], lines[0]["y"]) == ([1, 2, 3], [0.1, None, 0.4])


def test_many_curves_are_thinned_behind_the_best(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "NUM_NAMED", 1)
    monkeypatch.setattr(learning, "MAX_LINES", 3)
    (_, figure), _ = learning_charts(make_run(curves=curves_of(0, 2, 3, 4)))
    assert [(line["name"], line["showlegend"]) for line in figure["data"]] == [
        ("evaluation 1", False),
        ("evaluation 3", False),
        ("evaluation 5", True),
    ]


def test_curves_of_unknown_trials_are_left_out(make_run: MakeRun) -> None:
    assert learning_charts(make_run(curves=curves_of(77))) == []
