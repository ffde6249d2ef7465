"""Which decisions matter, on trials where that is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gennas.report import decisions
from gennas.report.data import RunData
from gennas.report.decisions import importance_chart, importance_of, parallel_chart
from gennas.search.objectives import Objective, Objectives
from gennas.search.trial import Trial

MakeRun = Callable[..., RunData]
ManyTrials = Callable[[int], list[Trial]]


def test_the_decision_that_decides_is_the_most_important(make_run: MakeRun, many_trials: ManyTrials) -> None:
    found = importance_of(make_run(trials=many_trials(200)))
    assert found is not None
    assert found.order[:2] == [5, 0]
    assert found.shares[5] > 1.0 > found.shares[0] > 0.05
    assert (found.shares[1:5] < 0.01).all()
    assert found.r2 > 0.9 and found.num_trials == 196


def test_importance_is_the_same_every_time(make_run: MakeRun, many_trials: ManyTrials) -> None:
    run = make_run(trials=many_trials(60))
    first, second = importance_of(run), importance_of(run)
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.shares, second.shares)


def test_importance_does_not_depend_on_the_direction(make_run: MakeRun, many_trials: ManyTrials) -> None:
    trials = many_trials(120)
    found = importance_of(make_run(trials=trials, objectives=Objectives((Objective("val", "min"),))))
    assert found is not None and found.order[:2] == [5, 0]


def test_few_trials_or_noise_tell_nothing(make_run: MakeRun, many_trials: ManyTrials) -> None:
    trials = many_trials(100)
    assert importance_of(make_run(trials=trials[:29])) is None
    assert importance_of(make_run(trials=[])) is None
    noise = np.random.default_rng(3).normal(size=100)
    random = [replace(t, metrics={"val": float(v)}) for t, v in zip(trials, noise, strict=True)]
    assert importance_of(make_run(trials=random)) is None
    constant = [replace(t, metrics={"val": 1.0}) for t in trials]
    assert importance_of(make_run(trials=constant)) is None


def test_many_trials_are_thinned(make_run: MakeRun, many_trials: ManyTrials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "MAX_TRIALS", 40)
    found = importance_of(make_run(trials=many_trials(200)))
    assert found is not None and found.num_trials == 40


def test_bars_name_the_slots_and_tell_what_labels_were_worth(make_run: MakeRun, many_trials: ManyTrials) -> None:
    run = make_run(trials=many_trials(200))
    found = importance_of(run)
    assert found is not None
    figure = importance_chart(run, found)
    assert figure is not None
    json.dumps(figure, allow_nan=False)
    (bars,) = figure["data"]
    assert bars["y"][:2] == ["edge 2-3", "edge 0-1"]
    assert bars["x"] == sorted(bars["x"], reverse=True)
    assert bars["text"][0].startswith("avg_pool_3x3: ") and "none: " in bars["text"][0].split("<br>")[-1]


def test_paths_go_through_readable_labels_to_fifths_of_the_objective(
    make_run: MakeRun, many_trials: ManyTrials
) -> None:
    figure = parallel_chart(make_run(trials=many_trials(200)), [5, 0])
    assert figure is not None
    json.dumps(figure, allow_nan=False)
    first, last, goal = figure["data"][0]["dimensions"]
    assert [first["label"], last["label"], goal["label"]] == ["edge 0-1", "edge 2-3", "val"]
    assert set(last["ticktext"]) == {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
    assert sorted(set(goal["values"])) == [0, 1, 2, 3, 4]
    assert len(goal["ticktext"]) == 5
    best = [v for v, fifth in zip(last["values"], goal["values"], strict=True) if fifth == 4]
    assert min(best) >= 3


def test_paths_of_a_minimised_metric_have_the_least_on_top(make_run: MakeRun, many_trials: ManyTrials) -> None:
    run = make_run(trials=many_trials(200), objectives=Objectives((Objective("val", "min"),)))
    figure = parallel_chart(run, [5])
    assert figure is not None
    slot, goal = figure["data"][0]["dimensions"]
    best = [v for v, fifth in zip(slot["values"], goal["values"], strict=True) if fifth == 4]
    assert max(best) <= 1


def test_paths_are_distinct_and_few(
    make_run: MakeRun, many_trials: ManyTrials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "MAX_PATHS", 20)
    trials = many_trials(200)
    figure = parallel_chart(make_run(trials=[*trials, *trials]), range(6))
    assert figure is not None
    paths = list(zip(*(d["values"] for d in figure["data"][0]["dimensions"][:-1]), strict=True))
    assert len(paths) == len(set(paths)) == 20


def test_nothing_to_draw_paths_of(make_run: MakeRun, many_trials: ManyTrials) -> None:
    assert parallel_chart(make_run(trials=[]), []) is None
    assert parallel_chart(make_run(trials=many_trials(4)), range(6)) is None
    assert parallel_chart(make_run(trials=many_trials(20)), []) is None
