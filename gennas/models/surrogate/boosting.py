"""Gradient boosting on label-free features, bagged for its deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gennas.graph import Population
from gennas.models.base import FloatArray
from gennas.models.surrogate._bagging import BaggedSurrogate
from gennas.models.surrogate.base import Features, graf, graph_statistics, live_one_hot

__all__ = ["BoostingSurrogate"]


class BoostingSurrogate(BaggedSurrogate[FloatArray]):
    """Bagged stochastic gradient boosting (Friedman 2002) on label-free features.

    Args:
        features: functions whose columns are put side by side.
        num_members: bootstrap samples, and boosters.
        num_trees: trees of each booster.
        learning_rate: shrinkage of every tree.
        max_depth: depth of the trees.
        max_features: share of the columns tried at every split.
        subsample: share of the architectures that each tree sees.
        seed: seed of samples and trees.

    Raises:
        ConfigError: fewer than two members.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> surrogate = BoostingSurrogate(num_members=4)
        >>> surrogate.fit(archs[:50], (archs.decisions[:50] == 3).sum(1).astype(float))
        >>> mean, std = surrogate.predict(archs[50:])
        >>> mean.shape, std.shape
        ((10,), (10,))
    """

    def __init__(
        self,
        features: Sequence[Features] = (live_one_hot, graph_statistics, graf),
        num_members: int = 8,
        num_trees: int = 100,
        learning_rate: float = 0.1,
        max_depth: int = 4,
        max_features: float = 0.1,
        subsample: float = 0.8,
        seed: int = 0,
    ) -> None:
        super().__init__(num_members, seed)
        self.features = tuple(features)
        self.num_trees, self.learning_rate, self.max_depth = num_trees, learning_rate, max_depth
        self.max_features, self.subsample = max_features, subsample

    def _inputs(self, archs: Population, fitting: bool) -> FloatArray:
        return np.concatenate([f(archs) for f in self.features], axis=1)

    def _fit_member(
        self, inputs: FloatArray, scores: FloatArray, times: FloatArray, seed: int
    ) -> Callable[[FloatArray], FloatArray]:
        from sklearn.ensemble import GradientBoostingRegressor

        booster = GradientBoostingRegressor(
            n_estimators=self.num_trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            max_features=self.max_features,
            subsample=self.subsample,
            random_state=seed,
        )
        seen = times > 0
        booster.fit(inputs[seen], scores[seen], sample_weight=times[seen])
        predict: Callable[[FloatArray], FloatArray] = booster.predict
        return predict
