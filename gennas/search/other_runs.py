"""What runs on other tasks of the same space know: their best, and what they predict of any architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Architecture, Population
from gennas.search.columns import Columns

if TYPE_CHECKING:
    from gennas.models.surrogate import Surrogate

__all__ = ["OtherRun", "PredictedColumns", "best_in_turn"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OtherRun:
    """The labels of one other run.

    Args:
        name: what a person called it.
        goal: what it optimised, such as ``val_accuracy:max``.
        archs: what was evaluated without failure, each once.
        values: the outcomes, turned so that more is better, ``(b,)``.
    """

    name: str
    goal: str
    archs: Population
    values: FloatArray

    def __len__(self) -> int:
        return len(self.archs)

    @property
    def best_first(self) -> NDArray[np.intp]:
        """Rows by outcome; of equal ones the earlier first."""
        return np.argsort(-self.values, kind="stable")


def best_in_turn(
    runs: Sequence[OtherRun], n: int, taken: Set[str] = frozenset(), fits: Callable[[Architecture], bool] | None = None
) -> list[tuple[Architecture, str]]:
    """Up to ``n`` architectures with their run's name: the best of every run, then the second best, and so on.

    Args:
        runs: in the order in which they have their turn.
        n: how many.
        taken: keys that are left out.
        fits: leaves out what it says no to.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(4, np.random.default_rng(0))
        >>> a = OtherRun("a", "score:max", archs[:2], np.array([1.0, 2.0]))
        >>> b = OtherRun("b", "score:max", archs[2:], np.array([4.0, 3.0]))
        >>> [name for _, name in best_in_turn([a, b], 3)]
        ['a', 'b', 'a']
    """
    found: dict[str, tuple[Architecture, str]] = {}
    for arch, name in _turns(runs):
        if len(found) == n:
            break
        if arch.key not in taken and arch.key not in found and (fits is None or fits(arch)):
            found[arch.key] = (arch, name)
    return list(found.values())


def _turns(runs: Sequence[OtherRun]) -> Iterator[tuple[Architecture, str]]:
    orders = [run.best_first for run in runs]
    for place in range(max(map(len, orders), default=0)):
        for run, order in zip(runs, orders, strict=True):
            if place < len(order):
                yield run.archs[int(order[place])], run.name


class PredictedColumns(Columns):
    """What a surrogate that was fitted once to another run's labels predicts: a column of normal scores.

    A kernel of its own for each run lets a Gaussian process learn how much each of them matters here, by its amplitude
    and its length scale.

    Args:
        run: the labels.
        make: a new surrogate; by default a forest on decisions and graph statistics.
        weight: of the kernel.
    """

    def __init__(self, run: OtherRun, make: Callable[[], Surrogate] | None = None, weight: float = 1.0) -> None:
        self.weight = weight
        self.name, self._run, self._make = f"run {run.name}", run, make or partial(_forest, _Last(_decisions))
        self._surrogate: Surrogate | None = None
        self._known: dict[str, float] = {}

    @classmethod
    def of(cls, runs: Sequence[OtherRun]) -> tuple[Self, ...]:
        """The columns of several runs: together they weigh as one group; their forests share computed features."""
        shared = _Last(_decisions)
        return tuple(cls(run, partial(_forest, shared), 1 / len(runs)) for run in runs)

    def __call__(self, archs: Population) -> FloatArray:
        """The predicted normal score among the other run's outcomes, ``(b, 1)``."""
        if self._surrogate is None:
            self._surrogate = self._make()
            self._surrogate.fit(self._run.archs, self._run.values)
        keys = archs.keys
        rows = np.flatnonzero([key not in self._known for key in keys])
        if len(rows):
            mean, _ = self._surrogate.predict(archs[rows])
            self._known.update(zip((keys[row] for row in rows), mean.tolist(), strict=True))
        return np.array([[self._known[key]] for key in keys], dtype=np.float64)


def _forest(features: Callable[[Population], FloatArray]) -> Surrogate:
    from gennas.models.surrogate import ForestSurrogate

    return ForestSurrogate((features,), num_trees=60, max_features=0.3)


def _decisions(archs: Population) -> FloatArray:
    from gennas.models.surrogate import graph_statistics, live_one_hot

    return np.concatenate([live_one_hot(archs), graph_statistics(archs)], axis=1)


class _Last:
    """A function of populations that remembers what it found for the last one."""

    def __init__(self, function: Callable[[Population], FloatArray]) -> None:
        self._function, self._keys, self._found = function, list[str](), np.zeros((0, 0))

    def __call__(self, archs: Population) -> FloatArray:
        if list(archs.keys) != self._keys:
            self._found, self._keys = self._function(archs), list(archs.keys)
        return self._found
