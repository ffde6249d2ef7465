"""Look-ahead over an enumerated set of decision rows: how many of them start with a given prefix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gennas.graph import GraphSchema

__all__ = ["PrefixIndex", "node_and_edge_columns"]

FloatArray = NDArray[np.float64]


class PrefixIndex:
    """Weighted counts of the rows of a fixed set that start with a prefix, by binary search.

    Rows are packed into one integer each, the first decision in the highest bits, and sorted: the
    rows that share a prefix are then one contiguous range.

    Args:
        rows: the enumerated decisions, ``(N, d)``.
        widths: bits that hold the labels of each decision, 62 in all at most.
        weights: weight of each row; 1 by default.

    Example:
        >>> index = PrefixIndex(np.array([[0, 1], [1, 0], [1, 1]]), widths=[1, 1])
        >>> index.counts(np.array([[0], [1]]), 1)
        array([[0., 1.],
               [1., 1.]])
    """

    def __init__(
        self, rows: NDArray[np.integer], widths: Sequence[int], weights: NDArray[np.generic] | None = None
    ) -> None:
        self._widths = np.array(widths, dtype=np.int64)
        self._below = self._widths.sum() - np.cumsum(self._widths)  # bits after each decision
        codes = self._pack(rows)
        order = np.argsort(codes)
        self._codes = codes[order]
        self._totals = np.zeros(len(codes) + 1)
        np.cumsum(np.ones(len(codes)) if weights is None else weights[order], out=self._totals[1:])

    def counts(self, prefixes: NDArray[np.integer], t: int) -> FloatArray:
        """Weight of the rows that start with ``prefixes (b, ≥t)[:, :t]`` and each label, ``(b, 2**width)``."""
        labels = np.arange(2 ** self._widths[t] + 1, dtype=np.int64) << self._below[t]
        bounds = np.searchsorted(self._codes, self._pack(prefixes[:, :t])[:, None] + labels)
        return np.diff(self._totals[bounds], axis=1)

    def _pack(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        packed: NDArray[np.int64] = rows.astype(np.int64) @ (np.int64(1) << self._below[: rows.shape[1]])
        return packed


def node_and_edge_columns(schema: GraphSchema) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns of the decisions that are nodes, and of those that are edges."""
    is_node = np.array([slot.is_node for slot in schema.slots])
    return np.flatnonzero(is_node), np.flatnonzero(~is_node)
