from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.surrogate import (
    BoostingSurrogate,
    ForestSurrogate,
    GNNSurrogate,
    GPSurrogate,
    StackSurrogate,
    Surrogate,
    graf,
)
from gennas.spaces.nasbench201.space import NASBench201
from gennas.testing.generators import toy_schema


def make_stack() -> StackSurrogate:
    return StackSurrogate([GPSurrogate(), ForestSurrogate(num_trees=30)])


def make_boosting() -> BoostingSurrogate:
    return BoostingSurrogate(num_members=4, num_trees=40)


def make_gnn() -> GNNSurrogate:
    return GNNSurrogate(features=[graf], num_members=3, steps=50, dim=16, num_layers=2)


MAKERS = [ForestSurrogate, GPSurrogate, make_stack, make_boosting, make_gnn]


def toy(n: int, seed: int) -> tuple[Population, np.ndarray]:
    """Random toy graphs and a noisy value: the number of edges, skewed."""
    rng = np.random.default_rng(seed)
    archs = Population.from_decisions(toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(n, 8)))
    return archs, np.exp((archs.E > 0).sum((1, 2)) + 0.3 * rng.standard_normal(n))


@pytest.mark.parametrize("make", MAKERS)
class TestSurrogates:
    def test_ranks_and_intervals(self, make: type[Surrogate]) -> None:
        (archs, y), (others, truth) = toy(60, 0), toy(200, 1)
        surrogate = make()
        assert isinstance(surrogate, Surrogate)
        surrogate.fit(archs, y)
        mean, std = surrogate.predict(others)
        assert mean.shape == std.shape == (200,) and (std >= 0).all()
        assert kendalltau(mean, truth)[0] > 0.7

    def test_only_ranks_of_values_matter(self, make: type[Surrogate]) -> None:
        archs, y = toy(40, 0)
        found = []
        for values in (y, np.log(y), 1e6 * y - 5):
            surrogate = make()
            surrogate.fit(archs, values)
            found.append(surrogate.predict(archs[:7])[0])
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])

    def test_uncertainty_grows_away_from_data(self, make: type[Surrogate]) -> None:
        archs, y = toy(200, 0)
        few = (archs.E > 0).sum((1, 2)) <= 3
        surrogate = make()
        surrogate.fit(archs[few], y[few])
        std = surrogate.predict(archs)[1]
        assert std[few].mean() < std[~few].mean()

    def test_refitting_forgets(self, make: type[Surrogate]) -> None:
        archs, y = toy(40, 0)
        surrogate, fresh = make(), make()
        surrogate.fit(archs, -y)
        for s in (surrogate, fresh):
            s.fit(archs, y)
        np.testing.assert_allclose(surrogate.predict(archs)[0], fresh.predict(archs)[0], atol=1e-6)

    def test_constant_features_and_values_are_survived(self, make: type[Surrogate]) -> None:
        archs, _ = toy(10, 0)
        surrogate = make()
        surrogate.fit(archs[np.zeros(5, dtype=int)], np.ones(5))
        assert np.isfinite(surrogate.predict(archs)).all()

    def test_misuse_is_explained(self, make: type[Surrogate]) -> None:
        archs, y = toy(10, 0)
        with pytest.raises(ConfigError, match="call fit first"):
            make().predict(archs)
        with pytest.raises(ConfigError, match="each of 10"):
            make().fit(archs, y[:5])

    def test_rank_correlation_on_published_accuracies(self, make: type[Surrogate], shared_data: Path) -> None:
        """100 labels of NAS-Bench-201, CIFAR-10 validation: tau at least .65 on others."""
        space = NASBench201()
        with gzip.open(shared_data / "nb201.csv.gz", "rt") as file:
            rows = list(csv.DictReader(file))
        rows = [rows[i] for i in np.random.default_rng(0).choice(len(rows), 600, replace=False)]
        archs = Population.of(space.schema, [space.from_text(row["arch"]) for row in rows])
        y = np.array([float(row["c10_val_200"]) for row in rows])
        surrogate = make()
        surrogate.fit(archs[:100], y[:100])
        assert kendalltau(surrogate.predict(archs[100:])[0], y[100:])[0] > 0.65
