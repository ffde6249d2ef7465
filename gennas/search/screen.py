"""Metrics that cost next to nothing, computed for whole populations before anything is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Architecture, Population
from gennas.search.objectives import Objectives

__all__ = ["Screen"]

FloatArray = NDArray[np.float64]


@dataclass
class Screen:
    """Values of cheap metrics, such as parameters or a look-up table's latency, counted by architecture.

    A screened search chooses among candidates that keep the cheap constraints, and models only the
    rest. That is information which the budget of evaluations does not show: :attr:`count` does.

    Args:
        measure: every metric of an architecture; only ``metrics`` are looked at.
        metrics: the names of the cheap ones.
        measure_all: the same for a whole population at once, each metric ``(b,)``, or None where that cannot be.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(3, np.random.default_rng(0))
        >>> screen = Screen(lambda arch: {"ones": float(sum(arch.decisions == 1)), "other": 0.0}, ("ones",))
        >>> screen.columns(archs)["ones"].shape, screen.count
        ((3,), 3)
    """

    measure: Callable[[Architecture], Mapping[str, float]]
    metrics: tuple[str, ...]
    measure_all: Callable[[Population], Mapping[str, FloatArray] | None] | None = None
    _known: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Architectures whose cheap metrics were computed, each counted once."""
        return len(self._known)

    def columns(self, archs: Population) -> dict[str, FloatArray]:
        """The cheap metrics of a population, each ``(b,)``."""
        new = [i for i, key in enumerate(archs.keys) if key not in self._known]
        if new:
            self._measure(archs[np.array(new)])
        rows = [self._known[key] for key in archs.keys]
        values = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.metrics))
        return dict(zip(self.metrics, values.T, strict=True))

    def _measure(self, archs: Population) -> None:
        """Compute the metrics of a population, of each architecture once."""
        archs = archs.unique()
        found = None if self.measure_all is None else self.measure_all(archs)
        if found is not None:
            rows = np.stack([found[name] for name in self.metrics], axis=1).tolist()
            self._known.update(zip(archs.keys, map(tuple, rows), strict=True))
            return
        for arch, key in zip(archs, archs.keys, strict=True):
            values = self.measure(arch)
            self._known[key] = tuple(values[name] for name in self.metrics)

    def violation(self, archs: Population, objectives: Objectives) -> FloatArray:
        """Sum of relative violations of the cheap constraints, 0 where all are kept, ``(b,)``."""
        columns, total = self.columns(archs), np.zeros(len(archs))
        for constraint in objectives.constraints:
            if constraint.metric in columns:
                total += [constraint.violation(value) for value in columns[constraint.metric]]
        return total

    def keep(self, archs: Population, objectives: Objectives) -> NDArray[np.intp]:
        """Rows that keep every cheap constraint, or, where none does, the row that breaks them least."""
        violation = self.violation(archs, objectives)
        kept = np.flatnonzero(violation == 0)
        return kept if len(kept) or not len(archs) else np.array([violation.argmin()])

    def state_dict(self) -> dict[str, Sequence[float]]:
        """What is known, by key."""
        return {key: list(values) for key, values in self._known.items()}

    def load_state_dict(self, state: Mapping[str, Sequence[float]]) -> None:
        """Restore it."""
        self._known = {key: tuple(values) for key, values in state.items()}
