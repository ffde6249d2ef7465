"""Hypervolume by hand, by counting, and over time."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.search import Constraint, Objective, Objectives, Origin, Proposal, Trial
from gennas.search.hypervolume import Scale, hypervolume, hypervolume_curve, signed_values
from gennas.spaces import NASBench201


def test_by_hand() -> None:
    assert hypervolume(np.array([[0.5, 1.0], [1.0, 0.5]])) == 0.75
    assert hypervolume(np.array([[0.5, 1.0], [-1.0, 2.0]])) == 0.5
    assert hypervolume(np.array([[1.0, 1.0, 0.5]])) == 0.5
    assert hypervolume(np.zeros((0, 2))) == 0.0


def test_by_counting_random_points() -> None:
    rng = np.random.default_rng(0)
    points, probes = rng.random((20, 3)), rng.random((100_000, 3))
    dominated = (probes[:, None] <= points[None]).all(-1).any(1).mean()
    assert hypervolume(points) == pytest.approx(dominated, abs=0.006)


def test_the_curve_is_the_hypervolume_of_prefixes() -> None:
    values = np.random.default_rng(1).random((30, 2))
    np.testing.assert_allclose(hypervolume_curve(values), [hypervolume(values[: i + 1]) for i in range(30)])


def test_scale() -> None:
    values = np.array([[0.0, 3.0], [1.0, 8.0], [5.0, 5.0]])
    scale = Scale.of(values)
    np.testing.assert_allclose(scale(values), [[0.0, 0.0], [0.2, 1.0], [1.0, 0.4]])  # from the worst, as ever
    with pytest.raises(ConfigError, match="at least one feasible"):
        Scale.of(np.zeros((0, 2)))


def test_a_front_of_its_extremes_counts_and_better_fronts_count_more() -> None:
    extremes = np.array([[0.0, 10.0], [1.0, 0.0]])
    scale = Scale.of(extremes)
    assert scale.reference.tolist() == pytest.approx([-0.1, -1.0])
    found = [hypervolume(scale(extremes[rows])) for rows in ([0], [1], [0, 1])]
    assert found == pytest.approx([1 / 11, 1 / 11, 2 / 11 - 1 / 121])
    known = np.concatenate([extremes, [[0.5, 5.0], [0.4, 4.0]]])
    scale = Scale.of(known)
    volumes = [hypervolume(scale(known[:n])) for n in (1, 2, 3, 4)]
    assert 0 < volumes[0] < volumes[1] < volumes[2] == volumes[3]


def test_objectives_that_never_differ_are_left_out() -> None:
    values = np.array([[1.0, 5.0, 2.0], [3.0, 5.0, 1.0], [0.0, 5.0, 0.0]])
    scale = Scale.of(values)
    assert scale.differs.tolist() == [True, False, True]
    assert hypervolume(scale(values)) == hypervolume(Scale.of(values[:, [0, 2]])(values[:, [0, 2]]))
    one = Scale.of(values[:, :2])
    assert [hypervolume(one(row[None, :2])) for row in values] == pytest.approx([1 / 3, 1.0, 0.0])
    none = Scale.of(values[:, 1:2])
    assert hypervolume(none(values[:, 1:2])) == 1.0 and hypervolume(none(values[:0, 1:2])) == 0.0
    assert hypervolume_curve(none(values[:, 1:2])).tolist() == [1.0, 1.0, 1.0]


def test_only_feasible_trials_count_and_signs_are_turned() -> None:
    goals = Objectives((Objective("a", "max"), Objective("b", "min")), (Constraint.parse("b<=2"),))
    arch = NASBench201().sample(1, np.random.default_rng(0))[0]
    found = [("ok", 1.0, 2.0), ("ok", 2.0, 3.0), ("failed", 0.0, 0.0), ("ok", 0.5, 1.0)]
    trials = [Trial(Proposal(arch, Origin("test")), s, {"a": a, "b": b} if s == "ok" else {}) for s, a, b in found]
    n_evals, values = signed_values(trials, goals)
    assert n_evals.tolist() == [1, 4] and values.tolist() == [[1.0, -2.0], [0.5, -1.0]]
