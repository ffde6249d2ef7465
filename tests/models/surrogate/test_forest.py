from __future__ import annotations

import numpy as np

from gennas.graph import Population
from gennas.models.surrogate import ForestSurrogate, normal_scores
from gennas.testing.generators import toy_schema


def test_one_tree_that_sees_everything_remembers_the_scores() -> None:
    D = np.array([[1, 0, 1, 0, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0, 0, 1], [2, 1, 2, 1, 1, 1, 1, 1]])
    archs, y = Population.from_decisions(toy_schema(), D), np.array([3.0, 1.0, 2.0])
    surrogate = ForestSurrogate([lambda a: a.decisions.astype(float)], num_trees=3, max_features=1.0)
    surrogate.fit(archs, y)
    mean, std = surrogate.predict(archs)
    np.testing.assert_allclose(mean, normal_scores(y), atol=1e-6)
    np.testing.assert_allclose(std, 0, atol=1e-6)


def test_seed_decides_the_forest() -> None:
    rng = np.random.default_rng(0)
    archs = Population.from_decisions(
        toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(30, 8))
    )
    means = []
    for seed in (0, 0, 1):
        surrogate = ForestSurrogate(num_trees=5, seed=seed)
        surrogate.fit(archs[:20], np.arange(20.0))
        means.append(surrogate.predict(archs[20:])[0])
    assert (means[0] == means[1]).all() and (means[0] != means[2]).any()
