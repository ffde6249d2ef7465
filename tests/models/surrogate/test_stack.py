from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtri

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.surrogate import ForestSurrogate, GPSurrogate, StackSurrogate
from gennas.testing.generators import toy_schema


def archs(n: int) -> Population:
    rng = np.random.default_rng(n)
    return Population.from_decisions(toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(n, 8)))


def test_moments_are_those_of_the_mixture() -> None:
    train, test = archs(30), archs(12)
    members = [GPSurrogate(), ForestSurrogate(num_trees=20)]
    stack = StackSurrogate(members)
    stack.fit(train, train.decisions.sum(1).astype(float))
    (m1, s1), (m2, s2) = (m.predict(test) for m in members)
    mean, std = stack.predict(test)
    np.testing.assert_allclose(mean, (m1 + m2) / 2)
    np.testing.assert_allclose(std**2, (s1**2 + s2**2) / 2 + (m1 - m2) ** 2 / 4)
    np.testing.assert_allclose(np.diag(stack.covariance(test)), std**2, atol=1e-5)
    assert stack.noise == pytest.approx(members[0].noise / 2)


class Guess:
    """Predicts one function of the architectures with a stated deviation."""

    def __init__(self, slope: float, std: float) -> None:
        self.slope, self.std, self.noise = slope, std, 0.0

    def fit(self, archs: Population, y: np.ndarray) -> None:
        pass

    def predict(self, archs: Population) -> tuple[np.ndarray, np.ndarray]:
        return self.slope * exact(archs), np.full(len(archs), self.std)

    def covariance(self, archs: Population) -> np.ndarray:
        return np.eye(len(archs)) * self.std**2


def exact(archs: Population) -> np.ndarray:
    """The normal scores among all 256 toy graphs of the number that their decisions spell."""
    number = (archs.decisions - toy_schema().decision_mask.argmax(1)) @ (2.0 ** np.arange(8))
    return ndtri((number + 0.5) / 256)


def distinct() -> Population:
    low = toy_schema().decision_mask.argmax(1)
    return Population.from_decisions(toy_schema(), low + np.array(list(product((0, 1), repeat=8))))


def test_the_member_with_the_better_means_gets_the_weight() -> None:
    archs = distinct()
    y = archs.decisions @ (2.0 ** np.arange(8))
    good, flat, wrong = Guess(1.0, 0.1), Guess(0.0, 0.1), Guess(-1.0, 0.1)
    for weighting in ("error", "likelihood"):
        stack = StackSurrogate([wrong, good, flat], weighting)
        stack.fit(archs, y)
        assert stack.weights.sum() == pytest.approx(1) and (stack.weights >= 0).all()
        assert stack.weights[1] > 0.9


def test_likelihood_prefers_the_honest_deviation_and_error_does_not_mind() -> None:
    archs = distinct()
    y = np.random.default_rng(0).normal(size=256)
    stack = StackSurrogate([Guess(0.0, 0.1), Guess(0.0, 1.0)], "likelihood")
    stack.fit(archs, y)
    assert stack.weights[1] > 0.9
    stack = StackSurrogate([Guess(0.0, 0.1), Guess(0.0, 1.0)], "error")
    stack.fit(archs, y)
    np.testing.assert_allclose(stack.weights, [0.5, 0.5], atol=1e-6)


def test_too_few_labels_for_folds_weigh_equally() -> None:
    stack = StackSurrogate([GPSurrogate(), ForestSurrogate(num_trees=5)], "error")
    stack.fit(archs(2), np.array([0.0, 1.0]))
    assert stack.weights.tolist() == [0.5, 0.5]


def test_unknown_weighting_is_refused() -> None:
    with pytest.raises(ConfigError, match="'best'"):
        StackSurrogate([GPSurrogate()], "best")


def test_nothing_to_stack_is_refused() -> None:
    with pytest.raises(ConfigError, match="got none"):
        StackSurrogate([])
