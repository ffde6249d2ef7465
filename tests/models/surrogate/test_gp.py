from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.surrogate import (
    DEFAULT_GROUPS,
    SUBTREE_GROUPS,
    GPSurrogate,
    Group,
    kernel_groups,
    live_one_hot,
    normal_scores,
    representatives,
)
from gennas.models.surrogate.gp import _negative_log_likelihood
from gennas.spaces import MacroChain, NASBench201
from gennas.testing.generators import toy_schema

GROUPS_OF_CHAINS = [Group(live_one_hot, "common")]
GROUPS = [Group(lambda a: a.decisions - 1.0), Group(lambda a: 2.0 * a.decisions[:, :3] + 5.0, "common")]


def fitted() -> tuple[GPSurrogate, Population, Population, np.ndarray]:
    rng = np.random.default_rng(0)
    archs = Population.from_decisions(
        toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(40, 8))
    )
    train, test = archs[:30], archs[30:]
    y = train.decisions.sum(1) + rng.standard_normal(30)
    surrogate = GPSurrogate(GROUPS)
    surrogate.fit(train, y)
    return surrogate, train, test, y


def kernel(surrogate: GPSurrogate, train: Population, a: Population, b: Population) -> np.ndarray:
    """Written out independently: sum of c exp(-d^2 / (2 l^2)) on columns of unit total variance."""
    found, total = surrogate.hyperparameters, np.zeros((len(a), len(b)))
    for i, group in enumerate(GROUPS):
        shape = {"column": train.schema.num_decisions, "common": 1}[group.scale]
        columns = group.features(train)
        spread = columns.std(0) * np.sqrt(shape) if i == 0 else np.sqrt(columns.var(0).sum())
        difference = (group.features(a)[:, None] - group.features(b)[None]) / spread
        total += found[f"amplitude.{i}"] * np.exp(-(difference**2).sum(-1) / (2 * found[f"length.{i}"] ** 2))
    return total


def test_posterior_is_the_textbook_formula_with_the_fitted_kernel() -> None:
    """mean = k K^-1 y and covariance = k(x, x) - k K^-1 k, the noise in K only."""
    surrogate, train, test, y = fitted()
    K = kernel(surrogate, train, train, train) + (surrogate.noise + 1e-6) * np.eye(30)
    k = kernel(surrogate, train, test, train)
    mean, std = surrogate.predict(test)
    z = normal_scores(y)
    np.testing.assert_allclose(mean, z.mean() + k @ np.linalg.solve(K, z - z.mean()), rtol=1e-5, atol=1e-7)
    expected = kernel(surrogate, train, test, test) - k @ np.linalg.solve(K, k.T)
    np.testing.assert_allclose(surrogate.covariance(test), expected, atol=1e-7)
    np.testing.assert_allclose(std**2, np.diag(expected), atol=1e-6)


def test_gradient_of_the_likelihood_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    points = [rng.normal(size=(12, 3)), rng.normal(size=(12, 2))]
    distances = [((p[:, None] - p[None]) ** 2).sum(-1) for p in points]
    y, theta = rng.normal(size=12), np.array([-0.5, 0.2, 0.1, -0.3, -1.5])
    _, gradient = _negative_log_likelihood(theta, distances, y)
    numeric = approx_fprime(theta, lambda t: _negative_log_likelihood(t, distances, y)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-4)


def test_likelihood_is_that_of_a_normal_density() -> None:
    distances, y = [np.array([[0.0, 1.0], [1.0, 0.0]])], np.array([0.3, -0.7])
    value, _ = _negative_log_likelihood(np.log([2.0, 1.0, 0.5]), distances, y)
    K = np.array([[2.5, 2 * np.exp(-0.5)], [2 * np.exp(-0.5), 2.5]])
    assert value == pytest.approx(0.5 * y @ np.linalg.inv(K) @ y + 0.5 * np.log(np.linalg.det(K)), rel=1e-5)


def test_a_group_that_explains_loses_no_amplitude_to_one_that_does_not() -> None:
    _, train, _, _ = fitted()
    noise = np.random.default_rng(2).normal(size=(2, len(train), 4))
    surrogate = GPSurrogate([lambda a: a.decisions * 1.0, lambda a: noise[0][: len(a)]])
    surrogate.fit(train, train.decisions.sum(1) * 1.0)
    found = surrogate.hyperparameters
    assert found["amplitude.0"] > 2 * found["amplitude.1"]


def many(b: int) -> tuple[Population, np.ndarray]:
    space = MacroChain()
    archs = space.sample(b + 20, np.random.default_rng(3)).unique()[:b]
    weight = np.random.default_rng(4).normal(size=(space.schema.num_decisions, space.schema.num_symbols))
    return archs, np.take_along_axis(weight[None], archs.decisions[..., None].astype(int), 2)[..., 0].sum(1)


def test_a_cap_that_is_not_reached_changes_no_bit() -> None:
    archs, y = many(60)
    predictions = []
    for cap in (None, 50):
        surrogate = GPSurrogate(GROUPS_OF_CHAINS, cap=cap)
        surrogate.recall({"labels": 40, "theta": np.zeros(3)})
        surrogate.fit(archs[:50], y[:50])
        predictions.append(surrogate.predict(archs[50:]))
    np.testing.assert_array_equal(predictions[0], predictions[1])


def test_a_capped_process_is_an_exact_one_of_its_representatives_with_scores_among_all() -> None:
    archs, y = many(120)
    capped = GPSurrogate(GROUPS_OF_CHAINS, cap=40)
    capped.fit(archs[:100], y[:100])
    scores = normal_scores(y[:100])
    rows = representatives(archs[:100], scores, 40)
    assert scores[rows].mean() > 0.2  # ranked among themselves it would be 0
    raw = live_one_hot(archs)
    scaled = raw / np.sqrt(raw[rows].var(0).sum())
    found = capped.hyperparameters
    distance = ((scaled[:, None] - scaled[None]) ** 2).sum(-1)
    K = found["amplitude.0"] * np.exp(-distance / (2 * found["length.0"] ** 2))
    k, here = K[100:][:, rows], K[np.ix_(rows, rows)] + (capped.noise + 1e-6) * np.eye(40)
    np.testing.assert_allclose(capped.predict(archs[100:])[0], k @ np.linalg.solve(here, scores[rows]), atol=1e-6)


def test_hyperparameters_are_taken_over_until_labels_have_grown_by_a_quarter() -> None:
    archs, y = many(120)
    first = GPSurrogate(GROUPS_OF_CHAINS, cap=40)
    first.fit(archs[:80], y[:80])
    for labels, same in ((81, True), (99, True), (100, False), (70, False)):
        later = GPSurrogate(GROUPS_OF_CHAINS, cap=40)
        later.recall(first.learned)
        later.fit(archs[:labels], y[:labels])
        assert (later.hyperparameters == first.hyperparameters) is same
        assert later.learned["labels"] == (80 if same else labels)
    other = GPSurrogate([*GROUPS_OF_CHAINS, *GROUPS_OF_CHAINS], cap=40)
    other.recall(first.learned)  # of other groups
    other.fit(archs[:81], y[:81])
    assert other.learned["labels"] == 81


def test_a_cap_must_leave_something() -> None:
    with pytest.raises(ConfigError, match="at least 4 labels, got cap=3"):
        GPSurrogate(cap=3)


def test_neighbourhoods_are_for_schemas_with_free_edges() -> None:
    assert kernel_groups(NASBench201().schema) == (DEFAULT_GROUPS, SUBTREE_GROUPS)
    assert kernel_groups(MacroChain().schema) == (DEFAULT_GROUPS,)
