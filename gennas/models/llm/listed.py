"""Legality and completions of an explicit list of architectures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import GraphSchema
from gennas.models.base import FloatArray
from gennas.models.llm.decisions import Decisions

__all__ = ["listed_decisions"]


def listed_decisions(schema: GraphSchema, rows: NDArray[np.integer]) -> Decisions:
    """Decisions of which exactly the distinct ``rows (n, d)`` are legal, each once.

    So a flat model draws uniformly from the rows of a table, from the distinct cells of a space whose own counts tell
    isomorphic ones apart, or from candidates that somebody chose.

    Raises:
        ConfigError: no rows, or labels that the schema does not allow.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> schema = NASBench201().schema
        >>> decisions = listed_decisions(schema, np.array([[0, 0, 0, 0, 0, 1], [3, 3, 3, 3, 3, 3], [0, 1, 0, 0, 0, 0]]))
        >>> decisions.count(), decisions.completions(np.zeros((1, 6), dtype=int), 0).tolist()
        (3, [[2.0, 0.0, 0.0, 1.0, 0.0]])
    """
    rows = np.asarray(rows, dtype=np.int16)
    columns = np.arange(schema.num_decisions)
    if not len(rows) or rows.shape[1:] != (schema.num_decisions,):
        raise ConfigError(f"{schema.name}: expected rows of {schema.num_decisions} decisions, got {rows.shape}.")
    if not ((rows >= 0) & (rows < schema.num_symbols)).all() or not schema.decision_mask[columns, rows].all():
        raise ConfigError(f"{schema.name}: a listed row has labels that the schema does not allow.")
    rows = np.unique(rows, axis=0)
    # group[t][i]: which of the distinct beginnings of t decisions row i has; starts[t]: where each beginning's rows are
    keys = {t: _starts(rows, t) for t in range(schema.num_decisions + 1)}

    def completions(D: NDArray[np.integer], t: int) -> FloatArray:
        low, high = _range(D, t)
        counts = np.zeros((len(D), schema.num_symbols))
        bounds = keys[t + 1]
        first = np.searchsorted(bounds, low)
        for i in range(len(D)):
            at = bounds[first[i] : np.searchsorted(bounds, high[i])]
            counts[i, rows[at, t]] = np.diff(np.append(at, high[i]))
        return counts

    def _range(D: NDArray[np.integer], t: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows that begin as each row of ``D``, narrowed down one decision at a time."""
        low, high = np.zeros(len(D), dtype=np.intp), np.full(len(D), len(rows))
        for s in range(t):
            column = rows[:, s]
            for i in range(len(D)):
                part = column[low[i] : high[i]]
                low[i], high[i] = (
                    low[i] + np.searchsorted(part, D[i, s]),
                    low[i] + np.searchsorted(part, D[i, s], side="right"),
                )
        return low, high

    def legal(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
        return completions(D, t) > 0

    return Decisions(schema, legal, completions)


def _starts(rows: NDArray[np.integer], t: int) -> NDArray[np.intp]:
    """Places at which the first ``t`` decisions of sorted rows change."""
    if t == 0:
        return np.zeros(1, dtype=np.intp)
    changes = (rows[1:, :t] != rows[:-1, :t]).any(1)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])
