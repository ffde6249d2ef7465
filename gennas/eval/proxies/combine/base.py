"""What a combination of proxies is, and how columns of any scale become comparable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gennas.errors import ConfigError

__all__ = ["Combination", "Quantiles", "Scores", "labelled_rows", "pairwise_signs", "table_of"]

FloatArray = NDArray[np.float64]
Scores = Mapping[str, ArrayLike]


class Combination(ABC):
    """Many proxies' scores of a population become one.

    ``fit`` may see scores of a whole population, which are free, and the labels of a few of its rows, which
    are not: NaN stands for "no label". :attr:`n_labels` is how many it read, for whoever keeps the budget.

    Attributes:
        name: for tables.
        needs_labels: whether :meth:`fit` learns from labels.
        columns: names of the proxies that were fitted, in order.
        n_labels: labels that :meth:`fit` read.
    """

    name: ClassVar[str]
    needs_labels: ClassVar[bool] = False
    columns: tuple[str, ...] = ()
    n_labels: int = 0

    def fit(self, scores: Scores, labels: ArrayLike | None = None) -> Self:
        """Choose the columns and, where it learns, learn.

        Args:
            scores: ``(n,)`` for each proxy, more is better unless signs are learned.
            labels: ``(n,)``, more is better, NaN where there is none; a combination without learning
                does not read them.

        Raises:
            ConfigError: no columns, columns that differ in length or are not finite, or too few labels.
        """
        self.columns = tuple(scores)
        if not self.columns:
            raise ConfigError("Expected the scores of at least one proxy, got none.")
        if self.needs_labels and labels is None:
            raise ConfigError(f"{self.name} learns from labels: expected an array of them, got none.")
        y = np.full(_rows(scores), np.nan) if labels is None else np.asarray(labels, dtype=np.float64)
        if y.shape != (_rows(scores),):
            raise ConfigError(f"Expected labels ({_rows(scores)},), NaN where there is none, got shape {y.shape}.")
        self.n_labels = int(np.isfinite(y).sum()) if self.needs_labels else 0
        self._learn(scores, y)
        return self

    @abstractmethod
    def score(self, scores: Scores) -> FloatArray:
        """One score for each row, ``(n,)``, more is better.

        Raises:
            ConfigError: it was not fitted, or a column is missing.
        """

    def _learn(self, scores: Scores, labels: FloatArray) -> None:
        """Learn; the default has nothing to learn."""
        table_of(scores, self.columns)

    def _table(self, scores: Scores) -> FloatArray:
        """The fitted columns, ``(n, p)``."""
        if not self.columns:
            raise ConfigError(f"{self.name} was not fitted: call fit(scores) first.")
        return table_of(scores, self.columns)


class Quantiles:
    """Values of each column as the share of a reference population below them, in (0, 1), ties in the middle.

    Args:
        table: the reference, ``(n, p)``.

    Example:
        >>> Quantiles(np.array([[1.0], [2.0], [2.0], [9.0]]))(np.array([[2.0], [5.0]])).ravel().tolist()
        [0.5, 0.75]
    """

    def __init__(self, table: FloatArray) -> None:
        self._sorted = np.sort(table, axis=0)

    def __call__(self, table: FloatArray) -> FloatArray:
        """``(m, p)`` to ``(m, p)``; never 0 or 1, so that logarithms exist."""
        n = len(self._sorted)
        below = [np.searchsorted(s, c, "left") for s, c in zip(self._sorted.T, table.T, strict=True)]
        upto = [np.searchsorted(s, c, "right") for s, c in zip(self._sorted.T, table.T, strict=True)]
        share: FloatArray = np.clip((np.stack(below, 1) + np.stack(upto, 1)) / (2 * n), 0.5 / n, 1 - 0.5 / n)
        return share


def table_of(scores: Scores, names: Sequence[str]) -> FloatArray:
    """Columns side by side, ``(n, p)``.

    Raises:
        ConfigError: one is missing, is no ``(n,)``, or is not finite.
    """
    missing = [name for name in names if name not in scores]
    if missing:
        raise ConfigError(f"Expected scores of {', '.join(names)}, got none of {', '.join(missing)}.")
    columns = [np.asarray(scores[name], dtype=np.float64) for name in names]
    shapes = {c.shape for c in columns}
    if len(shapes) != 1 or columns[0].ndim != 1:
        raise ConfigError(f"Expected one value for each architecture in every column, got shapes {sorted(shapes)}.")
    table = np.stack(columns, axis=1)
    bad = [name for name, column in zip(names, table.T, strict=True) if not np.isfinite(column).all()]
    if bad:
        raise ConfigError(f"Expected finite scores, got others in {', '.join(bad)}; leave these rows out.")
    return table


def labelled_rows(labels: FloatArray, least: int, name: str) -> NDArray[np.intp]:
    """Rows that have a label.

    Raises:
        ConfigError: there are fewer than ``least``, or all labels are equal.
    """
    rows = np.flatnonzero(np.isfinite(labels))
    if len(rows) < least or np.ptp(labels[rows]) == 0:
        raise ConfigError(f"{name} needs {least} labels or more that are not all equal, got {len(rows)}.")
    return rows


def pairwise_signs(labels: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs ``(better, worse)`` of rows with different labels, ``(pairs,)`` each."""
    i, j = np.triu_indices(len(labels), 1)
    apart = labels[i] != labels[j]
    i, j = i[apart], j[apart]
    first = labels[i] > labels[j]
    return np.where(first, i, j), np.where(first, j, i)


def _rows(scores: Scores) -> int:
    return len(np.asarray(scores[next(iter(scores))]))
