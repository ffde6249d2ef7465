from __future__ import annotations

import numpy as np

from gennas.graph import Population
from gennas.models.surrogate import BoostingSurrogate
from gennas.testing.generators import toy_schema


def toy(n: int) -> Population:
    rng = np.random.default_rng(n)
    return Population.from_decisions(toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(n, 8)))


def test_seed_decides_the_boosters() -> None:
    archs, means = toy(30), []
    for seed in (0, 0, 1):
        surrogate = BoostingSurrogate(num_members=2, num_trees=5, seed=seed)
        surrogate.fit(archs[:20], np.arange(20.0))
        means.append(surrogate.predict(archs[20:])[0])
    assert (means[0] == means[1]).all() and (means[0] != means[2]).any()


def test_covariance_agrees_with_the_deviation() -> None:
    archs = toy(30)
    surrogate = BoostingSurrogate(num_members=3, num_trees=5)
    surrogate.fit(archs[:20], np.arange(20.0))
    np.testing.assert_allclose(np.diag(surrogate.covariance(archs)), surrogate.predict(archs)[1] ** 2, atol=1e-12)


def test_an_interaction_is_learned() -> None:
    """The value is the exclusive or of two decisions, which no sum of functions of one of them says."""
    archs = toy(300)
    low = toy_schema().decision_mask.argmax(1)
    bits = archs.decisions - low
    y = (bits[:, 0] ^ bits[:, 1]) + 0.001 * np.arange(300)
    surrogate = BoostingSurrogate([lambda a: (a.decisions - low) * 1.0], num_members=3, max_features=1.0)
    surrogate.fit(archs[:200], y[:200])
    mean = surrogate.predict(archs[200:])[0]
    high = (bits[200:, 0] ^ bits[200:, 1]) == 1
    assert mean[high].min() > mean[~high].max()
