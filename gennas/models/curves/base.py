"""The interface of learning-curve models, and the baseline they must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError

__all__ = ["SCHEDULE_GAIN", "CurveModel", "LastValue", "check_curves", "check_prefix", "schedule_deviation"]

FloatArray = NDArray[np.float64]

SCHEDULE_GAIN = 0.4
"""Standard deviation, a priori, of what a schedule may still bring: a share of what is missing to an accuracy of 1."""


@runtime_checkable
class CurveModel(Protocol):
    """Predicts a later value of a learning curve from its beginning.

    A curve is ``y (T,)``, one value in [0, 1] per epoch from the first on (validation accuracies; more is
    better), and may be noisy. Predictions are for the value that will be *measured*, noise included.

    A beginning does not tell what the learning rate will do: under a cosine a curve rests, and rises when the rate
    falls. Whatever was not learned from earlier curves therefore has a deviation that grows with the horizon,
    :func:`schedule_deviation`.
    """

    def fit(self, curves: Sequence[FloatArray]) -> None:
        """Learn from complete earlier curves; what was learned before is replaced.

        Raises:
            ConfigError: too few curves, or values outside of [0, 1].
        """
        ...

    def predict(self, prefix: FloatArray, horizon: int) -> tuple[float, float]:
        """Mean and standard deviation of the value at epoch ``horizon`` (from 1), given the first epochs.

        Raises:
            ConfigError: the prefix is empty, has values outside of [0, 1], or reaches the horizon already.
        """
        ...


class LastValue:
    """The last value stays: the baseline. The deviation is the earlier curves' mean square error by it.

    Beyond the longest earlier curve, and without any, it is :func:`schedule_deviation` and a noise of .01.

    Args:
        schedule_gain: see :func:`schedule_deviation`.

    Example:
        >>> mean, std = LastValue().predict(np.array([0.5, 0.7]), horizon=10)
        >>> mean, round(std, 3)  # .4 * (1 - .7) * (1 - 2 / 10), and noise
        (0.7, 0.097)
    """

    def __init__(self, schedule_gain: float = SCHEDULE_GAIN) -> None:
        self.schedule_gain = schedule_gain
        self._curves: list[FloatArray] = []

    def fit(self, curves: Sequence[FloatArray]) -> None:
        """Remember the curves."""
        self._curves = check_curves(curves, at_least=1)

    def predict(self, prefix: FloatArray, horizon: int) -> tuple[float, float]:
        """The last value, and how far earlier curves went from the same epoch to the horizon (or to their end)."""
        y = check_prefix(prefix, horizon)
        longer = [c for c in self._curves if len(c) > len(y)]
        steps = [c[min(horizon, len(c)) - 1] - c[len(y) - 1] for c in longer]
        known = float(np.sqrt(np.mean(np.square(steps)))) if steps else 0.01
        seen = max(map(len, longer), default=len(y))
        return float(y[-1]), float(np.hypot(known, self.schedule_gain * schedule_deviation(y[-1], seen, horizon)))


def schedule_deviation(value: float, known: int, horizon: int) -> float:
    r"""What a schedule may still bring from epoch ``known`` to ``horizon``, in units of its gain.

    .. math:: (1 - y)\,\max(0, 1 - t / h)

    The share of the epochs to come is what a learning rate that falls evenly to the horizon has still to fall; the
    other factor is what is missing to an accuracy of 1. :data:`SCHEDULE_GAIN` times this is a standard deviation.

    Example:
        >>> round(SCHEDULE_GAIN * schedule_deviation(0.489, 20, 40), 3)  # at half of the epochs
        0.102
    """
    return (1 - value) * max(0.0, 1 - known / horizon)


def check_curves(curves: Sequence[FloatArray], at_least: int) -> list[FloatArray]:
    """The curves as arrays, after checks."""
    found = [np.asarray(curve, dtype=np.float64) for curve in curves]
    if len(found) < at_least:
        raise ConfigError(f"Expected at least {at_least} earlier curves, got {len(found)}.")
    for curve in found:
        _check_values(curve, "an earlier curve")
    return found


def check_prefix(prefix: FloatArray, horizon: int) -> FloatArray:
    """The prefix as an array, after checks."""
    y = np.asarray(prefix, dtype=np.float64)
    _check_values(y, "a prefix")
    if horizon <= len(y):
        raise ConfigError(f"Expected a horizon after the {len(y)} epochs that are known, got {horizon}.")
    return y


def _check_values(y: FloatArray, what: str) -> None:
    if y.ndim != 1 or not len(y) or not bool(((y >= 0) & (y <= 1)).all()):
        raise ConfigError(
            f"Expected {what} of one or more accuracies in [0, 1], one per epoch, got shape {y.shape}: {y[:5]}."
        )
