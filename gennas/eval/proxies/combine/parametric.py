r"""A learned, uncertain weighting of node-wise statistics.

A column may be node-wise: one value for each layer of a network, ``(n, layers)``, NaN where a network has fewer. Its
nodes are summarised by their mean, their spread and their slope from input to output (of logarithms where all
values are positive); every summary becomes a quantile ``q`` of the population. The score is linear with normal weights,

.. math:: s = \sum_j w_j \, (q_j - \tfrac12), \quad w \sim \mathcal N(\mu, \mathrm{diag}(\sigma^2))

and the mean-field posterior maximises the expected differentiable Kendall's tau, the mean of
:math:`\tanh(\alpha (s_i - s_j))` over labelled pairs with :math:`y_i > y_j`, minus the divergence from the prior
:math:`\mathcal N(0, 1)` over the number of labels. :meth:`ParametricProxy.uncertainty` is the posterior's deviation of
each score.

After: Dong et al. 2025, "ParZC: Parametric zero-cost proxies", arXiv 2402.02105, which feeds node-wise statistics to a
mixer network with Bayesian layers and trains it with DiffKendall. This is not that network: a few dozen labels carry a
few dozen weights and no more.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gennas.eval.proxies.combine.base import (
    Combination,
    Quantiles,
    Scores,
    labelled_rows,
    pairwise_signs,
    table_of,
)

__all__ = ["ParametricProxy"]

FloatArray = NDArray[np.float64]
_SHARPNESS, _LEAST_LABELS, _DRAWS = 4.0, 8, 8


class ParametricProxy(Combination):
    """Weights of quantiles with uncertainty, fitted to the order of few labels.

    Args:
        steps: of Adam.
        lr: its step size.
        seed: of the draws from the posterior.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.random((2, 50))
        >>> model = ParametricProxy(steps=60).fit({"a": a, "b": b}, 2 * a - b)
        >>> bool(np.corrcoef(model.score({"a": a, "b": b}), 2 * a - b)[0, 1] > 0.95)
        True
    """

    name = "parametric"
    needs_labels = True

    def __init__(self, steps: int = 200, lr: float = 0.05, seed: int = 0) -> None:
        self.steps, self.lr, self.seed = steps, lr, seed
        self.mean: FloatArray = np.zeros(0)
        self.deviation: FloatArray = np.zeros(0)

    def score(self, scores: Scores) -> FloatArray:
        """The posterior mean, ``(n,)``."""
        found: FloatArray = self._features(scores) @ self.mean
        return found

    def uncertainty(self, scores: Scores) -> FloatArray:
        """The posterior standard deviation of each score, ``(n,)``."""
        found: FloatArray = np.sqrt(self._features(scores) ** 2 @ self.deviation**2)
        return found

    def _features(self, scores: Scores) -> FloatArray:
        table = self._table(_summaries(scores, self._proxies))
        return self._quantiles(table) - 0.5

    def _learn(self, scores: Scores, labels: FloatArray) -> None:
        self._proxies = self.columns
        rows = labelled_rows(labels, _LEAST_LABELS, self.name)
        summaries = _summaries(scores, self._proxies)
        self.columns = tuple(summaries)
        self._quantiles = Quantiles(table_of(summaries, self.columns))
        features = torch.from_numpy(self._features(scores)[rows])
        better, worse = pairwise_signs(labels[rows])
        self.mean, self.deviation = self._posterior(features[better] - features[worse], len(rows))

    def _posterior(self, apart: Tensor, labels: int) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of the weights from differences of features ``(pairs, p)``, better minus worse."""
        generator = torch.Generator().manual_seed(self.seed)
        mean = torch.zeros(apart.shape[1], dtype=torch.float64, requires_grad=True)
        raw = torch.full_like(mean, -2.0, requires_grad=True)
        optimiser = torch.optim.Adam([mean, raw], lr=self.lr)
        for _ in range(self.steps):
            deviation = functional.softplus(raw)
            noise = torch.randn(_DRAWS, len(mean), generator=generator, dtype=torch.float64)
            tau = torch.tanh(_SHARPNESS * apart @ (mean + deviation * noise).T).mean()
            divergence = (mean.square() + deviation.square() - 1).sum() / 2 - deviation.log().sum()
            optimiser.zero_grad()
            (divergence / (labels * len(mean)) - tau).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return mean.detach().numpy(), functional.softplus(raw).detach().numpy()


def _summaries(scores: Scores, names: tuple[str, ...]) -> dict[str, FloatArray]:
    """Columns as they are, node-wise ones as mean, spread and slope over nodes."""
    found: dict[str, FloatArray] = {}
    for name in names:
        values = np.asarray(scores[name], dtype=np.float64) if name in scores else np.zeros(0)
        if values.ndim < 2:
            found |= {name: values} if name in scores else {}
            continue
        if np.nanmin(values, initial=np.inf) > 0:
            values = np.log(values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # networks without nodes stay NaN, and are refused below
            mean = np.nanmean(values, axis=1)
            spread = np.nanstd(values, axis=1)
        known = np.isfinite(values)
        place = (known.cumsum(1) - 1) / np.maximum(known.sum(1, keepdims=True) - 1, 1) - 0.5
        slope = np.where(known, place * (values - mean[:, None]), 0.0).sum(1) / np.maximum(known.sum(1), 1)
        found |= {f"{name}:mean": mean, f"{name}:spread": spread, f"{name}:slope": slope}
    return found
