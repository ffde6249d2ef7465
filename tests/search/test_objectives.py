"""Objectives, constraints and what "better" means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import Metric
from gennas.search import Constraint, Objective, Objectives, Origin, Proposal, Trial
from gennas.search.objectives import front_index
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


VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, -np.inf, np.inf, np.nan])


def fronts_by_definition(rows: list[tuple[float, ...]]) -> list[int]:
    """Peel off, again and again, what nothing that is left dominates."""

    def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))

    front, left, index = [0] * len(rows), set(range(len(rows))), 0
    while left:
        now = {i for i in left if not any(dominates(rows[j], rows[i]) for j in left)}
        for i in now:
            front[i] = index
        left, index = left - now, index + 1
    return front


def crowding_by_definition(rows: list[tuple[float, ...]]) -> list[float]:
    """Per objective the gap between a point's neighbours, as a share of the range; infinite at both ends."""
    distance = [0.0] * len(rows)
    for m in range(len(rows[0])):
        order = sorted(range(len(rows)), key=lambda i: rows[i][m])
        span = max(rows[order[-1]][m] - rows[order[0]][m], 1e-12)
        for place, i in enumerate(order):
            inside = 0 < place < len(order) - 1
            distance[i] += (rows[order[place + 1]][m] - rows[order[place - 1]][m]) / span if inside else np.inf
    return distance


@given(st.integers(1, 3).flatmap(lambda m: st.lists(st.tuples(*[VALUES] * (m + 1)), min_size=1, max_size=14)))
def testfront_index_are_those_of_the_definition(rows: list[tuple[float, ...]]) -> None:
    """Duplicates, infinities and NaN included: equal rows share a front, one with NaN stands in the first."""
    assert front_index(np.array(rows)).tolist() == fronts_by_definition(rows)


def test_manyfront_index_and_many_duplicates() -> None:
    rng = np.random.default_rng(0)
    rows = [tuple(row) for row in rng.integers(0, 9, (150, 3)).astype(float)]
    front = front_index(np.array(rows))
    assert front.tolist() == fronts_by_definition(rows) and front.max() >= 5 and len(set(rows)) < 150


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2), min_size=1, max_size=15))
def test_utilities_arefront_index_and_crowding_by_definition(rows: list[tuple[int, int]]) -> None:
    goals = Objectives((Objective("acc"), Objective("latency_ms", "min")))
    signed = [(float(a), -float(b)) for a, b in rows]
    front = fronts_by_definition(signed)
    expected = np.zeros(len(rows))
    for index in set(front):
        members = [i for i, f in enumerate(front) if f == index]
        for i, d in zip(members, crowding_by_definition([signed[i] for i in members]), strict=True):
            expected[i] = 0.5 * (1 - 1 / (1 + d)) - index
    np.testing.assert_allclose(goals.utilities([trial(acc=a, latency_ms=b) for a, b in rows]), expected, atol=1e-12)


def test_objectives_must_differ() -> None:
    with pytest.raises(ConfigError):
        Objectives((Objective("acc"), Objective("acc", "min")))
