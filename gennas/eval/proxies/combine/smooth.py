r"""Less noise in a proxy, without labels.

A proxy of one initialisation and one batch is a property of the architecture plus luck:
:math:`q(a) = f(a) + \epsilon`. A forest that predicts the proxy's quantile from the graph, never from the row itself
(out-of-bag), keeps what similar architectures share and drops the luck. No accuracy is read. It needs the proxy's
values of a population, and helps the noisy ones: on NAS-Bench-201 jacov and epe_nas, not synflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gennas.errors import ConfigError
from gennas.eval.proxies.combine.base import Quantiles
from gennas.graph import Population, decision_one_hot
from gennas.graph.graf import graf_features

__all__ = ["smooth_over_graphs"]


def smooth_over_graphs(
    values: ArrayLike, population: Population, *, trees: int = 100, seed: int = 0
) -> NDArray[np.float64]:
    """Out-of-bag predictions of the quantiles of ``values (n,)`` from the graphs of ``population``, ``(n,)``.

    Args:
        values: of a proxy, finite.
        population: their architectures.
        trees: of the forest; with a hundred, practically every row is out of some bag.
        seed: of the forest.

    Raises:
        ConfigError: lengths differ, values are not finite, or there are fewer than ten.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> population = NASBench201().sample(300, np.random.default_rng(0))
        >>> size = (population.E == 3).sum((1, 2)).astype(float)
        >>> noisy = size + np.random.default_rng(1).normal(0, 1, 300)
        >>> smooth = smooth_over_graphs(noisy, population)
        >>> bool(np.corrcoef(smooth, size)[0, 1] > np.corrcoef(noisy, size)[0, 1] + 0.1)
        True
    """
    from sklearn.ensemble import ExtraTreesRegressor

    column = np.asarray(values, dtype=np.float64)
    if column.shape != (len(population),) or len(column) < 10 or not np.isfinite(column).all():
        raise ConfigError(
            f"Expected ten finite values or more, one for each of {len(population)} architectures, got shape "
            f"{column.shape} with {int((~np.isfinite(column)).sum())} that are not finite."
        )
    features = np.hstack([graf_features(population)[0], decision_one_hot(population)])
    forest = ExtraTreesRegressor(
        trees, min_samples_leaf=3, max_features=0.5, bootstrap=True, oob_score=True, random_state=seed
    )
    forest.fit(features, Quantiles(column[:, None])(column[:, None])[:, 0])
    found: NDArray[np.float64] = forest.oob_prediction_
    return found
