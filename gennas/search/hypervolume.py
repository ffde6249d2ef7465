"""Hypervolume: how much of the space of objectives a set of architectures dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.search.objectives import Objectives, front_index
from gennas.search.trial import Trial

__all__ = ["Scale", "hypervolume", "hypervolume_curve", "signed_values"]

FloatArray = NDArray[np.float64]


_BEYOND = 0.1  # how far beyond the worst value the reference lies where it must, as a share of the range


@dataclass(frozen=True)
class Scale:
    """The reference and the best value of every objective that differs, signed so that more is better.

    The reference is the worst value. Where a member of the front is worst in some objective, and would dominate
    nothing, it lies a tenth of the range beyond the worst, in every objective.

    Args:
        reference: ``(m,)``.
        best: ``(m,)``.
        differs: whether an objective has more than one value; those that have not are left out ``(m,)``.
    """

    reference: FloatArray
    best: FloatArray
    differs: NDArray[np.bool_]

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """The range of signed ``values (k, m)``.

        Raises:
            ConfigError: there is no row, so there is no range.

        Example:
            >>> Scale.of(np.array([[0.0, 8.0], [5.0, 5.0], [4.0, 3.0]])).reference.tolist()  # [0, 8] is of the front
            [-0.5, 2.5]
            >>> Scale.of(np.array([[1.0, 8.0], [5.0, 5.0], [0.0, 3.0]])).reference.tolist()
            [0.0, 3.0]
        """
        if not len(values):
            raise ConfigError("Expected at least one feasible architecture to scale objectives by, got none.")
        worst, best = values.min(0), values.max(0)
        differs = best > worst
        beyond = _BEYOND * (best - worst) if _is_degenerate(values[:, differs]) else 0.0
        return cls(worst - beyond, best, differs)

    def __call__(self, values: FloatArray) -> FloatArray:
        """Values from 0 (the reference) to 1 (best) of the objectives that differ, ``(k, m')``."""
        low, high = self.reference[self.differs], self.best[self.differs]
        scaled: FloatArray = (values[:, self.differs] - low) / (high - low)
        return scaled


def _is_degenerate(values: FloatArray) -> bool:
    """Whether a member of the front of ``values (k, m)`` is worst in some objective."""
    corners = np.unique(values[(values == values.min(0)).any(1)], axis=0) if values.shape[1] else values[:0]
    front = corners[front_index(corners) == 0] if len(corners) else corners
    return any(not ((values >= point).all(1) & (values > point).any(1)).any() for point in front)


def hypervolume(values: FloatArray) -> float:
    """Volume between the origin and the points ``values (k, m)``, more being better; computed by pymoo.

    Parts of a point below the origin count nothing. Without any objective every point counts 1.

    Example:
        >>> hypervolume(np.array([[0.5, 1.0], [1.0, 0.5], [0.4, 0.4]]))
        0.75
    """
    from pymoo.indicators.hv import HV

    if values.shape[1] < 2:
        return float(values.max(initial=0.0)) if values.shape[1] else float(len(values) > 0)
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
