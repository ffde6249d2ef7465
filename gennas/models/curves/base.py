"""The interface of learning-curve models, and the baseline they must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError

__all__ = ["CurveModel", "LastValue", "check_curves", "check_prefix"]

FloatArray = NDArray[np.float64]


@runtime_checkable
class CurveModel(Protocol):
    """Predicts a later value of a learning curve from its beginning.

    A curve is ``y (T,)``, one value in [0, 1] per epoch from the first on (validation accuracies; more is
    better), and may be noisy. Predictions are for the value that will be *measured*, noise included.
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

    Without earlier curves it is .05.

    Example:
        >>> LastValue().predict(np.array([0.5, 0.7]), horizon=10)
        (0.7, 0.05)
    """

    def __init__(self) -> None:
        self._curves: list[FloatArray] = []

    def fit(self, curves: Sequence[FloatArray]) -> None:
        """Remember the curves."""
        self._curves = check_curves(curves, at_least=1)

    def predict(self, prefix: FloatArray, horizon: int) -> tuple[float, float]:
        """The last value, and how far earlier curves went from the same epoch to the horizon (or to their end)."""
        y = check_prefix(prefix, horizon)
        steps = [c[min(horizon, len(c)) - 1] - c[len(y) - 1] for c in self._curves if len(c) > len(y)]
        return float(y[-1]), float(np.sqrt(np.mean(np.square(steps)))) if steps else 0.05


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
