"""Ensembles of members fitted to bootstrap samples, with a deviation calibrated on what each left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import minimize

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.base import FloatArray
from gennas.models.surrogate.base import normal_scores

T = TypeVar("T")

_NOISE = 0.1  # prior median of the noise's variance, of normal scores


class BaggedSurrogate(ABC, Generic[T]):
    """The mean of members that each saw a bootstrap sample (Breiman 1996).

    The variance is ``spread`` times that over the members, plus ``noise``: both maximise the likelihood
    of the out-of-bag residuals under log-normal priors with medians 1 and 0.1.
    """

    def __init__(self, num_members: int, seed: int) -> None:
        if num_members < 2:
            raise ConfigError(f"Expected an ensemble of at least two members, got {num_members}.")
        self.num_members, self.seed = num_members, seed
        self.noise = _NOISE
        self.spread = 1.0
        self._members: list[Callable[[T], FloatArray]] = []

    @abstractmethod
    def _inputs(self, archs: Population, fitting: bool) -> T:
        """What the members read; ``fitting`` says that scales may be learned from these."""

    @abstractmethod
    def _fit_member(self, inputs: T, scores: FloatArray, times: FloatArray, seed: int) -> Callable[[T], FloatArray]:
        """A predictor fitted to ``scores (b,)``, the ``i``-th counted ``times[i]`` times (perhaps never)."""

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Fit all members to ``y (b,)``, higher is better."""
        scores = normal_scores(y)
        b = len(scores)
        if b != len(archs):
            raise ConfigError(f"Expected one value for each of {len(archs)} architectures, got {b}.")
        rng = np.random.default_rng(self.seed)
        times = np.stack([np.bincount(rng.integers(b, size=b), minlength=b) for _ in range(self.num_members)]) * 1.0
        inputs = self._inputs(archs, True)
        seeds = rng.integers(2**31, size=self.num_members)
        self._members = [self._fit_member(inputs, scores, t, int(s)) for t, s in zip(times, seeds, strict=True)]
        votes = np.stack([member(inputs) for member in self._members])
        self.spread, self.noise = _calibrate(votes, times == 0, scores)

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and calibrated standard deviation of the noise-free normal score, each ``(b,)``."""
        votes = self._votes(archs)
        return votes.mean(0), np.sqrt(self.spread) * votes.std(0, ddof=1)

    def covariance(self, archs: Population) -> FloatArray:
        """Calibrated covariance of the predictions over the members, ``(b, b)``."""
        votes = self._votes(archs)
        votes -= votes.mean(0)
        joint: FloatArray = self.spread * votes.T @ votes / (len(votes) - 1)
        return joint

    def _votes(self, archs: Population) -> FloatArray:
        """Every member's prediction, ``(members, b)``."""
        if not self._members:
            raise ConfigError("Expected a fitted surrogate; call fit first.")
        inputs = self._inputs(archs, False)
        return np.stack([member(inputs) for member in self._members])


def _calibrate(votes: FloatArray, left_out: np.ndarray, scores: FloatArray) -> tuple[float, float]:
    """Factor of the members' variance and variance of the noise, from votes ``(m, b)`` on what was left out."""
    count = left_out.sum(0)
    known = count >= 2
    if not known.any():
        return 1.0, _NOISE
    out, share = votes[:, known], left_out[:, known] / count[known]
    mean = (share * out).sum(0)
    variance = (share * (out - mean) ** 2).sum(0) * count[known] / (count[known] - 1)
    residual = (scores[known] - mean) ** 2

    def loss(theta: FloatArray) -> float:
        total = np.exp(theta[0]) * variance + _NOISE * np.exp(theta[1])
        return float((np.log(total) + residual / total).sum() + (theta**2).sum())

    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-4.0, 4.0), (-7.0, 3.0)])
    spread, noise = np.exp(found.x)
    return float(spread), float(_NOISE * noise)
