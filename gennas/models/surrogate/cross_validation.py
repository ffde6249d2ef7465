"""How well a surrogate ranks what it has not seen, and whether its intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.base import FloatArray
from gennas.models.surrogate.base import Surrogate

__all__ = ["LEVELS", "HeldOut", "cross_validate", "held_out", "normal_scores_among"]

LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class HeldOut:
    """Predictions of architectures that the surrogate was not fitted on, and what came out, each ``(b,)``.

    Args:
        mean: predicted normal score.
        std: standard deviation of a measurement, noise included.
        scores: measured normal score among those the surrogate was fitted on.
        values: what was measured.
    """

    mean: FloatArray
    std: FloatArray
    scores: FloatArray
    values: FloatArray

    @property
    def tau(self) -> float:
        """Kendall's rank correlation (tau-b) of prediction and outcome."""
        from scipy.stats import kendalltau

        return float(kendalltau(self.mean, self.values)[0])

    def coverage(self, levels: Sequence[float] = LEVELS) -> dict[float, float]:
        r"""Share of outcomes within the central intervals :math:`\mu \pm \Phi^{-1}((1 + p) / 2) \, \sigma`.

        A calibrated surrogate covers the share ``p`` itself.
        """
        error = np.abs(self.scores - self.mean)
        return {p: float((error <= ndtri((1 + p) / 2) * self.std).mean()) for p in levels}

    @property
    def log_density(self) -> FloatArray:
        """Logarithm of the predicted normal density at the outcome, ``(b,)``."""
        variance = np.maximum(self.std**2, 1e-4)
        density: FloatArray = -0.5 * (np.log(2 * np.pi * variance) + (self.scores - self.mean) ** 2 / variance)
        return density


def normal_scores_among(known: FloatArray, y: FloatArray) -> FloatArray:
    r"""The normal score of each of ``y (b,)`` were it ranked among ``known (m,)``, ``(b,)``.

    .. math:: \Phi^{-1}\Big(\frac{\#\{k < y\} + \#\{k = y\} / 2 + 1/2}{m + 1}\Big)

    Example:
        >>> normal_scores_among(np.array([1.0, 2.0, 3.0]), np.array([2.0, 9.0])).round(2).tolist()
        [0.0, 1.15]
    """
    ordered = np.sort(known)
    below, up_to = (np.searchsorted(ordered, y, side) for side in ("left", "right"))
    scores: FloatArray = ndtri(((below + up_to) / 2 + 0.5) / (len(known) + 1))
    return scores


def held_out(surrogate: Surrogate, known: FloatArray, archs: Population, y: FloatArray) -> HeldOut:
    """What a surrogate fitted to values ``known (m,)`` says of other architectures with values ``y (b,)``."""
    mean, std = surrogate.predict(archs)
    return HeldOut(mean, np.sqrt(std**2 + surrogate.noise), normal_scores_among(known, y), np.asarray(y, float))


def cross_validate(surrogate: Surrogate, archs: Population, y: FloatArray, folds: int = 5, seed: int = 0) -> HeldOut:
    """Predict each architecture by the surrogate fitted to the other folds; ``surrogate`` is left fitted to all.

    Raises:
        ConfigError: fewer than two folds, or folds that leave fewer than two architectures to fit.

    Example:
        >>> from gennas.models.surrogate import GPSurrogate
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> found = cross_validate(GPSurrogate(), archs, (archs.decisions == 3).sum(1).astype(float))
        >>> found.tau > 0.7, sorted(found.coverage())
        (True, [0.5, 0.8, 0.9, 0.95])
    """
    b = len(archs)
    if not 2 <= folds <= b or b - -(-b // folds) < 2 or len(y) != b:
        raise ConfigError(f"Expected 2 to {b} folds of {b} architectures with a value each, got {folds} of {len(y)}.")
    fold = np.random.default_rng(seed).permutation(b) % folds
    mean, std, scores = np.empty(b), np.empty(b), np.empty(b)
    for f in range(folds):
        out = fold == f
        surrogate.fit(archs[~out], y[~out])
        found = held_out(surrogate, y[~out], archs[out], y[out])
        mean[out], std[out], scores[out] = found.mean, found.std, found.scores
    surrogate.fit(archs, y)
    return HeldOut(mean, std, scores, np.asarray(y, dtype=np.float64))
