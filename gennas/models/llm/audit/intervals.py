"""Means over seeds and what they leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from gennas.errors import ConfigError
from gennas.models.base import FloatArray

__all__ = ["Interval", "bootstrap"]

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean over ``n`` seeds and the bounds of its interval."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def is_above_zero(self) -> bool:
        """Whether zero lies below the interval."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def bootstrap(values: Sequence[float] | FloatArray, level: float = 0.99, seed: int = 0) -> Interval:
    r"""The mean and its expanded percentile interval, seeds resampled with replacement.

    Few values make percentile intervals too narrow: their quantiles are moved out to
    :math:`\Phi(-\sqrt{n/(n-1)}\, t_{\alpha/2, n-1})` (Hesterberg 2015, arXiv 1411.5279, section 5.3).

    Raises:
        ConfigError: fewer than two values.

    Example:
        >>> bootstrap([1.0, 2.0, 3.0, 2.0])
        Interval(mean=2.0, low=1.0, high=3.0, n=4)
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < 2:
        raise ConfigError(f"Expected values of at least two seeds for an interval, got {len(x)}.")
    means = x[np.random.default_rng(seed).integers(len(x), size=(_RESAMPLES, len(x)))].mean(1)
    tail = float(ndtr((len(x) / (len(x) - 1)) ** 0.5 * stdtrit(len(x) - 1, (1 - level) / 2)))
    low, high = np.quantile(means, [tail, 1 - tail]).tolist()
    return Interval(float(x.mean()), low, high, len(x))
