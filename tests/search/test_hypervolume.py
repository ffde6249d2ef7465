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
    scale = Scale.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(scale(np.array([[2.0, 5.0]])), [[0.5, 0.0]])
    with pytest.raises(ConfigError, match="at least one feasible"):
        Scale.of(np.zeros((0, 2)))


def test_only_feasible_trials_count_and_signs_are_turned() -> None:
    goals = Objectives((Objective("a", "max"), Objective("b", "min")), (Constraint.parse("b<=2"),))
    arch = NASBench201().sample(1, np.random.default_rng(0))[0]
    found = [("ok", 1.0, 2.0), ("ok", 2.0, 3.0), ("failed", 0.0, 0.0), ("ok", 0.5, 1.0)]
    trials = [Trial(Proposal(arch, Origin("test")), s, {"a": a, "b": b} if s == "ok" else {}) for s, a, b in found]
    n_evals, values = signed_values(trials, goals)
    assert n_evals.tolist() == [1, 4] and values.tolist() == [[1.0, -2.0], [0.5, -1.0]]
