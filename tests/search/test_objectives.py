"""Objectives, constraints and what "better" means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import Metric
from gennas.search import Constraint, Objective, Objectives, Origin, Proposal, Trial
from gennas.spaces import NASBench201

METRICS = {"acc": Metric("acc", "max"), "latency_ms": Metric("latency_ms", "min")}
ARCH = NASBench201().sample(1, np.random.default_rng(0))[0]


def trial(status="ok", **metrics: float) -> Trial:
    return Trial(Proposal(ARCH, Origin("test")), status, metrics)


def test_parse() -> None:
    assert Objective.parse("acc:max") == Objective("acc", "max")
    assert Objective.parse("latency_ms", METRICS) == Objective("latency_ms", "min")
    assert Constraint.parse(" latency_ms <= 5e0", METRICS) == Constraint("latency_ms", "<=", 5.0)
    assert str(Constraint.parse("acc>=0.9")) == "acc>=0.9"


@pytest.mark.parametrize("text", ["acc:up", "acc:", "acc:MAX"])
def test_bad_direction(text: str) -> None:
    if text == "acc:":
        assert Objective.parse(text).direction == "max"
    else:
        with pytest.raises(ConfigError, match="METRIC:max"):
            Objective.parse(text)


@pytest.mark.parametrize("text", ["latency_ms<5", "latency_ms", "latency_ms<=fast", "<=5"])
def test_bad_constraint(text: str) -> None:
    with pytest.raises(ConfigError, match="latency_ms<=5"):
        Constraint.parse(text)


def test_unknown_metric_names_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="latency_ms"):
        Objective.parse("latency", METRICS)


def test_infeasible_below_feasible_below_nothing() -> None:
    goals = Objectives((Objective("acc"),), (Constraint("latency_ms", "<=", 5.0),))
    trials = [
        trial(acc=0.5, latency_ms=4),
        trial(acc=0.9, latency_ms=6),
        trial(acc=0.9, latency_ms=10),
        trial("failed"),
        trial(acc=0.6, latency_ms=5),
    ]
    order = np.argsort(-goals.utilities(trials))
    assert order.tolist() == [4, 0, 1, 2, 3]
    assert goals.best(trials) is trials[4]
    assert goals.best(trials[1:4]) is None


def test_pareto_front_by_hand() -> None:
    goals = Objectives((Objective("acc"), Objective("latency_ms", "min")))
    points = [(0.9, 5), (0.8, 3), (0.7, 4), (0.9, 6), (0.6, 1)]
    trials = [trial(acc=a, latency_ms=b) for a, b in points]
    assert [trials.index(t) for t in goals.pareto(trials)] == [0, 1, 4]
    utilities = goals.utilities(trials)
    assert min(utilities[[0, 1, 4]]) > max(utilities[[2, 3]])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_pareto_agrees_with_the_definition(points: list[tuple[int, int]]) -> None:
    goals = Objectives((Objective("acc"), Objective("latency_ms", "min")))
    trials = [trial(acc=a, latency_ms=b) for a, b in points]
    expected = [
        i for i, (a, b) in enumerate(points) if not any((c >= a and d <= b) and (c > a or d < b) for c, d in points)
    ]
    front = goals.pareto(trials)
    assert [i for i, t in enumerate(trials) if any(t is f for f in front)] == expected


def test_objectives_must_differ() -> None:
    with pytest.raises(ConfigError):
        Objectives((Objective("acc"), Objective("acc", "min")))
