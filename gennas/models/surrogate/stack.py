"""Several surrogates as one: the equal mixture of what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.generator import FloatArray
from gennas.models.surrogate.base import Surrogate

__all__ = ["StackSurrogate"]


class _Joint(Surrogate, Protocol):
    def covariance(self, archs: Population) -> FloatArray: ...


class StackSurrogate:
    r"""The equal mixture of ``m`` surrogates, all of which predict normal scores.

    .. math:: \mu = \frac{1}{m} \sum_i \mu_i, \quad
              \Sigma = \frac{1}{m} \sum_i \Sigma_i + \frac{1}{m} \sum_i (\mu_i - \mu)(\mu_i - \mu)^T

    so that members that disagree widen the deviation.

    Args:
        members: the surrogates.

    Raises:
        ConfigError: no members.

    Example:
        >>> from gennas.models.surrogate import ForestSurrogate, GPSurrogate
        >>> from gennas.spaces.nasbench201 import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> surrogate = StackSurrogate([GPSurrogate(), ForestSurrogate()])
        >>> surrogate.fit(archs[:50], (archs.decisions[:50] == 3).sum(1).astype(float))
        >>> surrogate.covariance(archs[50:]).shape
        (10, 10)
    """

    def __init__(self, members: Sequence[_Joint]) -> None:
        if not members:
            raise ConfigError("Expected one or more surrogates to stack, got none.")
        self.members = tuple(members)
        self.noise = 0.0

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Fit every member to ``y (b,)``, higher is better."""
        for member in self.members:
            member.fit(archs, y)
        self.noise = float(np.mean([member.noise for member in self.members]))

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the mixture, in normal scores, each ``(b,)``."""
        means, stds = (np.stack(v) for v in zip(*(m.predict(archs) for m in self.members), strict=True))
        return means.mean(0), np.sqrt((stds**2).mean(0) + means.var(0))

    def covariance(self, archs: Population) -> FloatArray:
        """Covariance of the mixture, ``(b, b)``."""
        means = np.stack([m.predict(archs)[0] for m in self.members])
        means -= means.mean(0)
        joint: FloatArray = np.mean([m.covariance(archs) for m in self.members], axis=0) + means.T @ means / len(means)
        return joint
