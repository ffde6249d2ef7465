"""Acquisition functions against independent numbers, and batches that spread."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.indicators.hv import Hypervolume
from scipy.integrate import quad
from scipy.stats import norm

from gennas.graph import Population
from gennas.search.strategies.bayesian.acquisition import (
    choose_batch,
    log_expected_hypervolume_improvement,
    log_expected_improvement,
)
from gennas.spaces import MacroChain, NASBench201

POOL = NASBench201().sample(3, np.random.default_rng(0))


class Fixed:
    """Three candidates: the best, its twin, and another one that is a little worse."""

    noise = 0.0

    def fit(self, archs: Population, y: np.ndarray) -> None: ...

    def predict(self, archs: Population) -> tuple[np.ndarray, np.ndarray]:
        return np.array([1.0, 0.99, 0.9]), np.ones(3)

    def covariance(self, archs: Population) -> np.ndarray:
        return np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(("mean", "std", "best"), [(0.3, 0.7, 0.5), (-1.0, 0.5, 1.0), (2.0, 0.1, 0.0)])
def test_expected_improvement_is_the_integral(mean: float, std: float, best: float) -> None:
    expected, _ = quad(lambda y: (y - best) * norm.pdf(y, mean, std), best, max(mean, best) + 12 * std)
    found = log_expected_improvement(np.array([mean]), np.array([std]), best)[0]
    assert found == pytest.approx(np.log(expected), rel=1e-5)


def test_hopeless_candidates_keep_their_order() -> None:
    mean = -np.array([4.9, 5.1, 10.0, 50.0, 99.0, 101.0, 500.0])
    values = log_expected_improvement(mean, np.ones(7), 0.0)
    assert np.isfinite(values).all() and (np.diff(values) < 0).all()
    np.testing.assert_allclose(values[-1], -0.5 * 500**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(500), rtol=1e-6)


def upper(mean: np.ndarray, std: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return mean[0] + 2 * std[0]


def test_a_batch_avoids_the_twin_of_its_first() -> None:
    chosen, mean, std = choose_batch([Fixed()], POOL, 2, upper)
    assert chosen.tolist() == [0, 2]
    assert mean.tolist() == [[1.0, 0.99, 0.9]] and std.tolist() == [[1, 1, 1]]


def test_one_or_no_covariance_takes_the_first() -> None:
    class Lonely(Fixed):
        covariance = None

    assert choose_batch([Fixed()], POOL, 1, upper)[0].tolist() == [0]
    assert choose_batch([Lonely()], POOL, 2, upper)[0].tolist() == [0, 1]


class Families(Fixed):
    """Five twins in a row, ever worse; to choose one tells all of its twins."""

    def predict(self, archs: Population) -> tuple[np.ndarray, np.ndarray]:
        return -0.001 * np.arange(len(archs)), np.ones(len(archs))

    def covariance(self, archs: Population) -> np.ndarray:
        family = np.arange(len(archs)) // 5
        return (family[:, None] == family[None]).astype(float)


@pytest.mark.parametrize(("n", "per_proposal", "families"), [(40, 4, 40), (100, 0, 40), (64, 4, 52), (100, 4, 80)])
def test_the_shortlist_grows_with_the_batch(n: int, per_proposal: int, families: int) -> None:
    """Of 200 candidates (former versions, small batches), or of four for each proposal: so many families there are."""
    pool = MacroChain().sample(600, np.random.default_rng(1)).unique()
    chosen, _, _ = choose_batch([Families()], pool, n, upper, per_proposal=per_proposal)
    assert len(set(chosen.tolist())) == n
    assert len(set((chosen // 5).tolist())) == min(n, families)


def test_hypervolume_improvement_agrees_with_sampling() -> None:
    front = np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.2], [1.0, -0.5], [-1.0, -1.0]])
    mean, std = np.array([[0.4, 1.2, -2.0], [0.9, 0.1, -2.0]]), np.array([[0.3, 0.5, 0.2], [0.4, 0.2, 0.3]])
    ours = np.exp(log_expected_hypervolume_improvement(mean, std, front))
    reference = Hypervolume(ref_point=-(front.min(0) - 1e-3))
    rng = np.random.default_rng(0)
    for j in range(2):
        draws = rng.normal(mean[:, j], std[:, j], (4000, 2))
        gains = np.array([reference(-np.vstack([front, y])) for y in draws]) - reference(-front)
        assert ours[j] == pytest.approx(gains.mean(), abs=4 * gains.std() / np.sqrt(len(gains)))
    assert ours[2] < 1e-6
