from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.surrogate import GPSurrogate, HeldOut, cross_validate, normal_scores, normal_scores_among
from gennas.testing.generators import toy_schema


class Oracle:
    """Knows every value up to the noise it states, and what it was fitted on."""

    def __init__(self, noise: float) -> None:
        self.noise = noise
        self.fits: list[list[str]] = []

    def fit(self, archs: Population, y: np.ndarray) -> None:
        self.fits.append(archs.keys)

    def predict(self, archs: Population) -> tuple[np.ndarray, np.ndarray]:
        assert not set(archs.keys) & set(self.fits[-1])
        return (archs.E > 0).sum((1, 2)) * 1.0, np.zeros(len(archs))


def toy(n: int) -> tuple[Population, np.ndarray]:
    rng = np.random.default_rng(0)
    D = toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(4 * n, 8))
    archs = Population.from_decisions(toy_schema(), D).unique()[:n]
    return archs, (archs.E > 0).sum((1, 2)) + 0.3 * rng.standard_normal(n)


def test_coverage_of_draws_from_the_predicted_normals_is_nominal() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=20000), rng.uniform(0.5, 2, size=20000)
    scores = mean + std * rng.standard_normal(20000)
    covered = HeldOut(mean, std, scores, scores).coverage()
    for level, share in covered.items():
        assert share == pytest.approx(level, abs=0.01)
    assert HeldOut(mean, std / 2, scores, scores).coverage()[0.9] == pytest.approx(
        2 * norm.cdf(1.645 / 2) - 1, abs=0.01
    )


def test_log_density_is_the_normal_one() -> None:
    found = HeldOut(np.array([0.5]), np.array([2.0]), np.array([-1.0]), np.array([0.0]))
    assert found.log_density[0] == pytest.approx(norm.logpdf(-1.0, 0.5, 2.0))


def test_scores_among_others() -> None:
    known = np.array([4.0, 1.0, 2.0, 2.0])
    expected = ndtri(np.array([0.5, 2.5, 3.5, 4.5]) / 5)  # below all, tied with two, between, above all
    np.testing.assert_allclose(normal_scores_among(known, np.array([0.0, 2.0, 3.0, 9.0])), expected)
    y = np.arange(500.0)
    np.testing.assert_allclose(normal_scores_among(y, y)[100:400], normal_scores(y)[100:400], atol=0.01)


def test_folds_are_predicted_by_the_others_and_all_are_fitted_at_last() -> None:
    archs, y = toy(20)
    oracle = Oracle(0.5)
    found = cross_validate(oracle, archs, y, folds=4)
    assert [len(keys) for keys in oracle.fits] == [15, 15, 15, 15, 20]
    np.testing.assert_array_equal(found.mean, (archs.E > 0).sum((1, 2)))
    np.testing.assert_allclose(found.std, np.sqrt(0.5))
    np.testing.assert_array_equal(found.values, y)


def test_a_surrogate_is_refitted_to_everything() -> None:
    archs, y = toy(40)
    surrogate, alone = GPSurrogate(), GPSurrogate()
    found = cross_validate(surrogate, archs, y)
    alone.fit(archs, y)
    np.testing.assert_array_equal(surrogate.predict(archs)[0], alone.predict(archs)[0])
    assert found.tau > 0.6 and 0.75 < found.coverage()[0.9] <= 1


@pytest.mark.parametrize("folds", [1, 11])
def test_impossible_folds_are_refused(folds: int) -> None:
    archs, y = toy(10)
    with pytest.raises(ConfigError, match="2 to 10 folds"):
        cross_validate(GPSurrogate(), archs, y, folds)
