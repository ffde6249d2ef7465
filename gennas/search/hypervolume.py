"""Hypervolume: how much of the space of objectives a set of architectures dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.search.objectives import Objectives
from gennas.search.trial import Trial

__all__ = ["Scale", "hypervolume", "hypervolume_curve", "signed_values"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """The worst and the best value of every objective, signed so that more is better, each ``(m,)``."""

    worst: FloatArray
    best: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """The range of signed ``values (k, m)``.

        Raises:
            ConfigError: there is no row, so there is no range.
        """
        if not len(values):
            raise ConfigError("Expected at least one feasible architecture to scale objectives by, got none.")
        return cls(values.min(0), values.max(0))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Values from 0 (worst) to 1 (best), ``(k, m)``; an objective that never differs becomes 0."""
        span = self.best - self.worst
        scaled: FloatArray = (values - self.worst) / np.where(span > 0, span, 1.0)
        return scaled


def hypervolume(values: FloatArray) -> float:
    """Volume between the origin and the points ``values (k, m)``, more being better; computed by pymoo.

    Parts of a point below the origin count nothing.

    Example:
        >>> hypervolume(np.array([[0.5, 1.0], [1.0, 0.5], [0.4, 0.4]]))
        0.75
    """
    from pymoo.indicators.hv import HV

    inside = values[(values > 0).all(1)]
    return float(HV(ref_point=np.zeros(values.shape[1]))(-inside)) if len(inside) else 0.0


def signed_values(trials: Sequence[Trial], objectives: Objectives) -> tuple[NDArray[np.int64], FloatArray]:
    """Number of the evaluation of every feasible trial ``(k,)``, and its objectives, more is better, ``(k, m)``."""
    kept = [(n, t) for n, t in enumerate(trials, start=1) if objectives.is_feasible(t)]
    rows = [[o.signed(t.metrics[o.metric]) for o in objectives.objectives] for _, t in kept]
    values = np.array(rows, dtype=np.float64).reshape(len(kept), len(objectives.objectives))
    return np.array([n for n, _ in kept], dtype=np.int64), values


def hypervolume_curve(values: FloatArray) -> FloatArray:
    """Hypervolume of the first 1, 2, … rows of ``values (k, m)``, ``(k,)``."""
    curve, front = np.zeros(len(values)), values[:0]
    for i, point in enumerate(values):
        if i and (front >= point).all(1).any():
            curve[i] = curve[i - 1]
            continue
        front = np.concatenate([front[~(point >= front).all(1)], point[None]])
        curve[i] = hypervolume(front)
    return curve
