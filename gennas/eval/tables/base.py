"""Benchmark tables: measured values of architectures, looked up by canonical key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, EvaluationError, TableError, UnknownNameError, shown
from gennas.eval.base import Direction, Fidelity, Metric
from gennas.graph import Architecture, Population
from gennas.spaces.base import Space

__all__ = ["Table", "TableEvaluator"]

FloatArray = NDArray[np.float64]
_FULL = Fidelity()


@dataclass(frozen=True, eq=False)
class Table:
    """Values of ``m`` metrics for ``n`` architectures of one space under one protocol.

    Shapes: ``keys`` has ``n`` entries; every array of ``columns`` is ``(n,)``.

    Args:
        name: for messages and reports.
        protocol: identity of the measurements; values of different protocols are never pooled.
        space: the space that the architectures belong to.
        keys: canonical key of every row, each once.
        metrics: what the columns mean, by name.
        columns: the values, under the same names.
        archs: the architecture of every row, for tables that do not cover their space: searches then stay among them.
        notes: what a person should know of how it was read.

    Raises:
        TableError: no row, repeated keys, a column of another length, or names that disagree.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> space = NASBench201()
        >>> archs = space.sample(2, np.random.default_rng(0))
        >>> accuracy = Metric("accuracy", "max")
        >>> table = Table(
        ...     "two", "two", space, tuple(archs.keys), {"accuracy": accuracy}, {"accuracy": np.array([0.7, 0.9])}
        ... )
        >>> table.lookup(archs[1])
        {'accuracy': 0.9}
        >>> table.optimum("accuracy", "max")[0]
        0.9
    """

    name: str
    protocol: str
    space: Space
    keys: tuple[str, ...]
    metrics: Mapping[str, Metric]
    columns: Mapping[str, FloatArray]
    archs: Population | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.keys or len(set(self.keys)) != len(self.keys):
            raise TableError(
                f"Table {self.name}: expected one or more different keys, got {len(self.keys)} "
                f"({len(set(self.keys))} different)."
            )
        if not self.metrics or set(self.metrics) != set(self.columns):
            raise TableError(
                f"Table {self.name}: expected a column for every metric, got metrics {sorted(self.metrics)} "
                f"and columns {sorted(self.columns)}."
            )
        for metric, column in self.columns.items():
            if column.shape != (len(self.keys),):
                raise TableError(
                    f"Table {self.name}: expected {len(self.keys)} values of {shown(metric)}, got shape {column.shape}."
                )

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, arch: object) -> bool:
        return isinstance(arch, Architecture) and arch.key in self._index

    @cached_property
    def _index(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.metrics)

    @cached_property
    def _rows(self) -> FloatArray:
        """All values with rows contiguous, ``(n, m)``: one lookup touches one cache line."""
        return np.ascontiguousarray(np.stack([self.columns[name] for name in self._names], axis=1))

    @property
    def coverage(self) -> float | None:
        """Share of the space's architectures that have a row, or None where the space is not counted."""
        size = self.space.size
        return None if size is None else len(self) / size

    def lookup(self, arch: Architecture) -> dict[str, float]:
        """The values of every metric for ``arch``.

        Raises:
            TableError: the table does not hold it.
        """
        row = self._index.get(arch.key)
        if row is None:
            raise self._missing(arch, "this architecture")
        return dict(zip(self._names, self._rows[row].tolist(), strict=True))

    def lookup_population(self, population: Population) -> dict[str, FloatArray]:
        """The values of every metric for ``b`` architectures, each ``(b,)``.

        Raises:
            TableError: the table does not hold all of them; the first one missing is named.
        """
        rows = np.array([self._index.get(key, -1) for key in population.keys], dtype=np.intp)
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise self._missing(population[int(missing[0])], f"{len(missing)} of {len(rows)} architectures, first")
        return {name: column[rows] for name, column in self.columns.items()}

    def optimum(
        self, metric: str, direction: Direction | None = None, within: NDArray[np.bool_] | None = None
    ) -> tuple[float, tuple[str, ...]]:
        """The best value of ``metric`` and the keys of all rows that attain it.

        Args:
            metric: name of the metric.
            direction: ``max`` or ``min``; by default the metric's own.
            within: rows that count ``(n,)``, such as those that keep a constraint; by default all.

        Raises:
            UnknownNameError: the table has no such metric.
            ConfigError: ``within`` leaves no row.
        """
        if metric not in self.metrics:
            raise UnknownNameError("metric", metric, self.metrics)
        rows = np.arange(len(self)) if within is None else np.flatnonzero(within)
        if not len(rows):
            raise ConfigError(f"Table {self.name}: no architecture keeps the constraints; loosen a bound.")
        values = self.columns[metric][rows]
        best = float(values.max() if (direction or self.metrics[metric].direction) == "max" else values.min())
        return best, tuple(self.keys[row] for row in rows[values == best])

    def _missing(self, arch: Architecture, what: str) -> TableError:
        share = self.coverage
        note = "" if share is None or share >= 1 else f" It covers {share:.2%} of the space {self.space.name}."
        return TableError(
            f"Table {self.name} has no row for {what}: {_text(self.space, arch)}.{note} "
            "Search the space that the table was made for, or add the row."
        )


class TableEvaluator:
    """Scores an architecture by looking it up: an :class:`~gennas.eval.base.Evaluator`.

    Args:
        table: where the values come from.

    Example:
        >>> from gennas.eval.tables import open_table
        >>> from gennas.spaces.nasbench_graph.space import NASBenchGraph
        >>> space = NASBenchGraph()
        >>> evaluator = TableEvaluator(open_table("nasbench-graph/cora", space))
        >>> arch = space.sample(1, np.random.default_rng(0))[0]
        >>> sorted(evaluator.evaluate(arch, Fidelity(), seed=0))
        ['latency_s', 'params_m', 'test_accuracy', 'val_accuracy']
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.metrics: Mapping[str, Metric] = table.metrics
        self.cost_class: Literal["cheap", "expensive"] = "expensive"
        self.protocol = table.protocol
        self.cheap_metrics = tuple(table.metrics)

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """The row of ``arch``, of which only what the user declared cheap may be looked at before evaluation."""
        return self.evaluate(arch, fidelity, 0)

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Return the row of ``arch``; ``seed`` changes nothing.

        Raises:
            EvaluationError: no such row, or another fidelity than the full one.
        """
        if fidelity is not _FULL and fidelity != _FULL:
            raise EvaluationError(f"Table {self.table.name} holds full evaluations only, got {fidelity}.")
        try:
            return self.table.lookup(arch)
        except TableError as error:
            raise EvaluationError(str(error)) from error


def _text(space: Space, arch: Architecture) -> str:
    """Text of ``arch``, which may belong to another space."""
    return space.to_text(arch) if arch.schema.fingerprint == space.schema.fingerprint else repr(arch)
