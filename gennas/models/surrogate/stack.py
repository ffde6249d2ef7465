"""Several surrogates as one: a mixture of what they predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy.optimize import nnls

from gennas.errors import ConfigError, shown
from gennas.graph import Population
from gennas.models.base import FloatArray
from gennas.models.surrogate.base import JointSurrogate, RecallingSurrogate
from gennas.models.surrogate.cross_validation import HeldOut, cross_validate

__all__ = ["StackSurrogate"]

Weighting = Literal["equal", "likelihood", "error"]


class StackSurrogate:
    r"""The mixture of ``m`` surrogates with weights ``w``, all of which predict normal scores.

    .. math:: \mu = \sum_i w_i \mu_i, \quad
              \Sigma = \sum_i w_i \big(\Sigma_i + (\mu_i - \mu)(\mu_i - \mu)^T\big)

    so that members that disagree widen the deviation. The weights are equal, or come from
    cross-validation, which fits every member ``folds`` times more:

    * ``likelihood`` maximises the held-out :math:`\sum_j \log \sum_i w_i p_i(z_j)` (stacking of
      predictive distributions, Yao et al. 2018, arXiv 1704.02030), which rewards honest deviations;
    * ``error`` minimises the held-out :math:`\sum_j (z_j - \sum_i w_i \mu_{ij})^2` (stacked
      regressions, Breiman 1996), which rewards good means.

    Both are drawn towards equal weights by as much as ``m`` labels would.

    Args:
        members: the surrogates.
        weighting: ``equal``, ``likelihood`` or ``error``.
        folds: folds of the cross-validation (fewer where there are fewer labels).
        seed: seed of the folds.

    Attributes:
        weights: ``(m,)``, as last fitted.

    Raises:
        ConfigError: no members, or an unknown weighting.

    Example:
        >>> from gennas.models.surrogate import ForestSurrogate, GPSurrogate
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> surrogate = StackSurrogate([GPSurrogate(), ForestSurrogate()], "likelihood")
        >>> surrogate.fit(archs[:50], (archs.decisions[:50] == 3).sum(1).astype(float))
        >>> surrogate.covariance(archs[50:]).shape, float(surrogate.weights.sum().round(6))
        ((10, 10), 1.0)
    """

    def __init__(
        self, members: Sequence[JointSurrogate], weighting: Weighting = "equal", folds: int = 5, seed: int = 0
    ) -> None:
        if not members:
            raise ConfigError("Expected one or more surrogates to stack, got none.")
        if weighting not in ("equal", "likelihood", "error"):
            raise ConfigError(f"Expected weighting equal, likelihood or error, got {shown(weighting)}.")
        self.members, self.weighting = tuple(members), weighting
        self.folds, self.seed = folds, seed
        self.weights: FloatArray = np.full(len(members), 1 / len(members))
        self.noise = 0.0

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Fit every member to ``y (b,)``, higher is better, and weigh them."""
        folds = min(self.folds, len(archs))
        if self.weighting == "equal" or len(self.members) == 1 or folds < 3:
            for member in self.members:
                member.fit(archs, y)
            self.weights = np.full(len(self.members), 1 / len(self.members))
        else:
            found = [cross_validate(member, archs, y, folds, self.seed) for member in self.members]
            self.weights = _likeliest(found) if self.weighting == "likelihood" else _least_error(found)
        self.noise = float(self.weights @ [member.noise for member in self.members])

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the mixture, in normal scores, each ``(b,)``."""
        means, stds = (np.stack(v) for v in zip(*(m.predict(archs) for m in self.members), strict=True))
        mean = self.weights @ means
        return mean, np.sqrt(self.weights @ (stds**2 + (means - mean) ** 2))

    @property
    def learned(self) -> dict[str, Any]:
        """What each member that can recall something learned, by its place."""
        return {str(i): m.learned for i, m in enumerate(self.members) if isinstance(m, RecallingSurrogate)}

    def recall(self, learned: Mapping[str, Any]) -> None:
        """Hand to each member what the one in its place learned."""
        for i, member in enumerate(self.members):
            if isinstance(member, RecallingSurrogate):
                member.recall(learned.get(str(i), {}))

    def covariance(self, archs: Population) -> FloatArray:
        """Covariance of the mixture, ``(b, b)``."""
        means = np.stack([m.predict(archs)[0] for m in self.members])
        means -= self.weights @ means
        within = np.tensordot(self.weights, [m.covariance(archs) for m in self.members], 1)
        joint: FloatArray = within + (self.weights[:, None] * means).T @ means
        return joint


def _likeliest(found: Sequence[HeldOut]) -> FloatArray:
    """Weights of the mixture density under a flat Dirichlet prior of one pseudo-label each, by EM."""
    density = np.stack([f.log_density for f in found])
    density = np.exp(density - density.max(0))
    weights = np.full(len(found), 1 / len(found))
    for _ in range(200):
        share = weights[:, None] * density
        weights = (share / share.sum(0)).sum(1) + 1
        weights /= weights.sum()
    return weights


def _least_error(found: Sequence[HeldOut]) -> FloatArray:
    """Weights on the simplex of the mean with the least squared error and a ridge towards equal ones."""
    means = np.stack([f.mean for f in found], 1)
    b, m = means.shape
    scale = 1e3 * np.sqrt(b)  # of the row that makes the weights sum to one
    A = np.concatenate([means, np.sqrt(m) * np.eye(m), np.full((1, m), scale)])
    target = np.concatenate([found[0].scores, np.full(m, np.sqrt(m) / m), [scale]])
    weights = nnls(A, target)[0]
    normalised: FloatArray = weights / weights.sum()
    return normalised
