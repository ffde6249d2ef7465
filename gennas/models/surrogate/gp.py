"""Exact Gaussian-process regression with one kernel for each group of features."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.generator import FloatArray
from gennas.models.surrogate.base import Features, graph_statistics, live_one_hot, normal_scores

__all__ = ["GPSurrogate"]


class GPSurrogate:
    r"""A Gaussian process on the ranks of what was measured.

    .. math:: k(a, b) = \sum_g c_g \exp\Big(-\frac{\lVert \phi_g(a) - \phi_g(b) \rVert^2}{2 \ell_g^2}\Big)
              + \sigma^2 [a = b]

    over groups ``g`` of features, each scaled to unit mean variance; on one-hot decisions this is
    the exponential of the Hamming distance. The ``c``, the length scales and the noise maximise the
    marginal likelihood. The predicted standard deviation includes the noise.

    Args:
        features: the groups.

    Example:
        >>> from gennas.spaces.nasbench201 import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> surrogate = GPSurrogate()
        >>> surrogate.fit(archs[:50], (archs.decisions[:50] == 3).sum(1).astype(float))
        >>> mean, std = surrogate.predict(archs[50:])
        >>> mean.shape, std.shape
        ((10,), (10,))
    """

    def __init__(self, features: Sequence[Features] = (live_one_hot, graph_statistics)) -> None:
        self.features = tuple(features)
        self._gp: GaussianProcessRegressor | None = None

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Fit the hyper-parameters and condition on ``y (b,)``, higher is better."""
        scores = normal_scores(y)
        if len(scores) != len(archs):
            raise ConfigError(f"Expected one value for each of {len(archs)} architectures, got {len(scores)}.")
        groups = [f(archs) for f in self.features]
        self._centre = [g.mean(0) for g in groups]
        self._scale = [_scale(g) for g in groups]
        ends = np.cumsum([0, *(g.shape[1] for g in groups)]).tolist()
        share = 1 / len(groups)
        terms = [
            ConstantKernel(share, (1e-3, 1e2)) * _ColumnRBF(1.0, (0.05, 50.0), start, stop)
            for start, stop in pairwise(ends)
        ]
        self._gp = GaussianProcessRegressor(reduce(add, terms) + WhiteKernel(0.1, (1e-3, 1.0)), alpha=1e-6)
        with warnings.catch_warnings():
            # A hyper-parameter at its bound is a fine answer: a group that explains nothing.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._gp.fit(self._columns(groups), scores)

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and standard deviation in normal scores, each ``(b,)``."""
        if self._gp is None:
            raise ConfigError("Expected a fitted surrogate; call fit first.")
        mean, std = self._gp.predict(self._columns([f(archs) for f in self.features]), return_std=True)
        return np.asarray(mean), np.asarray(std)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Fitted amplitudes, length scales and noise by their scikit-learn names, groups in order."""
        if self._gp is None:
            raise ConfigError("Expected a fitted surrogate; call fit first.")
        kernel = self._gp.kernel_
        return {h.name: float(v) for h, v in zip(kernel.hyperparameters, np.exp(kernel.theta), strict=True)}

    def _columns(self, groups: Sequence[FloatArray]) -> FloatArray:
        scaled = [(g - c) / s for g, c, s in zip(groups, self._centre, self._scale, strict=True)]
        columns: FloatArray = np.concatenate(scaled, axis=1)
        return columns


def _scale(group: FloatArray) -> FloatArray:
    """What to divide the columns by: their own spread for counts, one common spread for indicators."""
    spread = group.std(0)
    live = max(1, int((spread > 0).sum()))
    if np.isin(group, (0.0, 1.0)).all():
        return np.full(len(spread), np.sqrt(max((spread**2).sum(), 1e-12)))
    scale: FloatArray = np.where(spread > 0, spread, np.inf) * np.sqrt(live)
    return scale


class _ColumnRBF(RBF):  # type: ignore[misc]
    """An RBF kernel that reads the columns from ``start`` to ``stop`` only."""

    def __init__(
        self,
        length_scale: float = 1.0,
        length_scale_bounds: tuple[float, float] = (1e-5, 1e5),
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        super().__init__(length_scale, length_scale_bounds)
        self.start, self.stop = start, stop

    def __call__(self, X: FloatArray, Y: FloatArray | None = None, eval_gradient: bool = False) -> Any:
        columns = slice(self.start, self.stop)
        return super().__call__(X[:, columns], None if Y is None else Y[:, columns], eval_gradient)
