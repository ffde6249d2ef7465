"""A forest of extremely randomised trees, whose spread is the standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.base import FloatArray
from gennas.models.surrogate.base import Features, graf, graph_statistics, live_one_hot, normal_scores

__all__ = ["ForestSurrogate"]

DEFAULT_FEATURES = (live_one_hot, graph_statistics, graf)


class ForestSurrogate:
    """Extremely randomised trees (Geurts et al. 2006) on label-free features.

    Args:
        features: functions whose columns are put side by side.
        num_trees: number of trees.
        max_features: share of the columns tried at every split.
        min_samples_leaf: least number of architectures in a leaf.
        seed: seed of the trees.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> surrogate = ForestSurrogate()
        >>> surrogate.fit(archs[:50], (archs.decisions[:50] == 3).sum(1).astype(float))
        >>> mean, std = surrogate.predict(archs[50:])
        >>> mean.shape, std.shape
        ((10,), (10,))
    """

    def __init__(
        self,
        features: Sequence[Features] = DEFAULT_FEATURES,
        num_trees: int = 100,
        max_features: float = 0.5,
        min_samples_leaf: int = 1,
        seed: int = 0,
    ) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self.features = tuple(features)
        self.noise = 0.0  # its spread is that of measurements, not of their expectation
        self._forest = ExtraTreesRegressor(
            num_trees, max_features=max_features, min_samples_leaf=min_samples_leaf, random_state=seed
        )

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Grow the forest on ``y (b,)``, higher is better."""
        scores = normal_scores(y)
        if len(scores) != len(archs):
            raise ConfigError(f"Expected one value for each of {len(archs)} architectures, got {len(scores)}.")
        self._forest.fit(self._columns(archs), scores)

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation over the trees, in normal scores, each ``(b,)``."""
        votes = self._votes(archs)
        return votes.mean(0), votes.std(0)

    def covariance(self, archs: Population) -> FloatArray:
        """Covariance of the architectures' predictions over the trees, ``(b, b)``."""
        votes = self._votes(archs)
        votes -= votes.mean(0)
        joint: FloatArray = votes.T @ votes / len(votes)
        return joint

    def _votes(self, archs: Population) -> FloatArray:
        """Every tree's prediction, ``(trees, b)``."""
        if not hasattr(self._forest, "estimators_"):
            raise ConfigError("Expected a fitted surrogate; call fit first.")
        columns = self._columns(archs)
        return np.stack([tree.tree_.predict(columns)[:, 0] for tree in self._forest.estimators_])

    def _columns(self, archs: Population) -> NDArray[np.float32]:
        return np.concatenate([f(archs) for f in self.features], axis=1, dtype=np.float32)
