"""Draws of labels in proportion to weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.graph.schema import IntArray

__all__ = ["draw_labels"]


def draw_labels(weights: NDArray[np.generic], rng: np.random.Generator) -> IntArray:
    """Draw one label per row in proportion to non-negative ``weights (b, L)``; one of weight 0 is never drawn.

    Example:
        >>> draw_labels(np.array([[0.0, 1.0, 0.0], [2**70, 0, 0]], dtype=object), np.random.default_rng(0)).tolist()
        [1, 0]
    """
    if weights.dtype == object:  # Python divides integers of any size and rounds once
        weights = np.array([[w / total for w in row] for row in weights.tolist() if (total := sum(row))])
    cumulative = np.cumsum(weights, axis=1, dtype=np.float64)
    threshold = rng.random(len(weights))[:, None] * cumulative[:, -1:]
    drawn: IntArray = (cumulative <= threshold).sum(axis=1).astype(np.int16)
    return drawn
