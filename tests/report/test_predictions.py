"""Predicted against measured, from what strategies write into origins."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtri

from gennas.report.data import RunData
from gennas.report.predictions import coverage_chart, predicted_chart, predictions_of
from gennas.search.objectives import Objective, Objectives
from gennas.search.strategies.bayesian import BayesianSearch
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import NASBench201

MakeRun = Callable[..., RunData]
SPACE = NASBench201()


def trials_of(rows: list[tuple[float, int | None, tuple[float, float] | None]]) -> list[Trial]:
    """Trials with a value, the round and the prediction."""
    archs = SPACE.sample(len(rows), np.random.default_rng(0))
    return [
        Trial(
            Proposal(
                archs[i],
                Origin("x", (), number, {} if said is None else {"predicted": said[0], "predicted_sd": said[1]}),
                id=i,
            ),
            "ok",
            {"val": value},
        )
        for i, (value, number, said) in enumerate(rows)
    ]


ROWS: list[tuple[float, int | None, tuple[float, float] | None]] = [
    (0.1, None, None), (0.2, None, None), (0.3, None, None),
    (0.25, 1, (0.0, 1.0)), (0.9, 1, (0.5, 0.1)),
    (0.0, 2, (-1.0, 1.0)), (0.95, 2, (1.4, 0.1)), (0.25, 2, (0.1, 0.2)),
]  # fmt: skip


def test_scores_are_those_among_what_the_round_knew(make_run: MakeRun) -> None:
    found = predictions_of(make_run(trials=trials_of(ROWS)))
    assert found is not None
    assert found.numbers.tolist() == [4, 5, 6, 7, 8]
    expected = ndtri(np.array([2.5 / 4, 3.5 / 4, 0.5 / 6, 5.5 / 6, 3.0 / 6]))  # ranks among 3, then among 5 values
    np.testing.assert_allclose(found.found.scores, expected)
    assert found.coverage_90 == pytest.approx(4 / 5)
    assert found.tau == pytest.approx(0.8)


def test_a_minimised_metric_is_turned(make_run: MakeRun) -> None:
    run = make_run(trials=trials_of(ROWS), objectives=Objectives((Objective("val", "min"),)))
    found = predictions_of(run)
    assert found is not None
    np.testing.assert_allclose(found.found.scores[:2], ndtri(np.array([1.5 / 4, 0.5 / 4])))


def test_without_predictions_there_is_nothing(make_run: MakeRun) -> None:
    assert predictions_of(make_run()) is None
    assert predictions_of(make_run(trials=trials_of(ROWS)[:7])) is None


def test_charts_show_intervals_and_coverage(make_run: MakeRun) -> None:
    found = predictions_of(make_run(trials=trials_of(ROWS)))
    assert found is not None
    diagonal, dots = predicted_chart(found)["data"]
    json.dumps([diagonal, dots], allow_nan=False)
    assert dots["x"] == [0.0, 0.5, -1.0, 1.4, 0.1]
    assert dots["error_x"]["array"][1] == pytest.approx(0.164, abs=1e-3)
    assert diagonal["x"] == diagonal["y"]
    line = coverage_chart(found)["data"][1]
    assert (line["x"][0], line["x"][-1]) == (0.05, 0.95)
    assert line["y"] == sorted(line["y"])


def test_a_search_with_a_surrogate_records_what_it_expects(make_run: MakeRun) -> None:
    goal = Objectives((Objective("val"),))
    strategy = BayesianSearch(SPACE, goal, seed=0, warm_start=8, round_size=2, pool_size=50)
    trials: list[Trial] = []
    while len(trials) < 16:
        batch = [Trial(p, "ok", {"val": float(p.arch.decisions.sum()) + 0.01 * len(trials)}) for p in strategy.ask(8)]
        strategy.tell(batch)
        trials += batch
    found = predictions_of(make_run(trials=trials, objectives=goal))
    assert found is not None
    assert found.numbers.tolist() == list(range(9, 17))
    assert (found.found.std > 0).all()
    # The strategy's own figure is taken over the same outcomes on the same scale.
    assert found.coverage_90 == strategy.records()["coverage_90"]
