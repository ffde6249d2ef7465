"""A space whose operations stay inside a set of its architectures, such as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Architecture, Population
from gennas.spaces.base import Space

__all__ = ["within"]

_CELLS = 20_000_000  # decisions compared at once
_TRIES = 5


def within(space: Space, rows: Population, weights: NDArray[np.float64] | None = None) -> Space:
    """The same space, of which only ``rows (n,)`` are proposed: sampled, mutated to, crossed to or generated.

    * Samples are uniform over the rows, or, with ``weights (d, L)`` of every decision's labels, in proportion to the
      product of a row's.
    * Mutants and neighbours are one edit away where the rows hold such; else the rows with the fewest other decisions.
    * Everything else becomes canonical as the row with the fewest other decisions, so that children of a crossover and
      what a generator draws are rows, too. Ties are broken by the architecture's key: nothing depends on chance.

    Any architecture of the whole space can still be read.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space, rng = NASBench201(), np.random.default_rng(0)
        >>> rows = space.sample(50, rng).unique()
        >>> inside = within(space, rows)
        >>> inside.size == len(rows), set(inside.mutate(inside.sample(20, rng), rng).keys) <= set(rows.keys)
        (True, True)
    """
    own = type(space)
    made: _Within = object.__new__(type(own.__name__, (_Within, own), {"__module__": own.__module__}))
    made.__dict__.update(vars(space))
    made._whole, made._rows = space, rows.unique()
    made._places = {key: place for place, key in enumerate(made._rows.keys)}
    made._shares = None if weights is None else _products(weights, made._rows.decisions)
    return made


def _products(weights: NDArray[np.float64], D: NDArray[np.integer]) -> NDArray[np.float64]:
    """Products of the chosen labels' weights, which sum to 1, ``(rows,)``."""
    log = np.log(weights[np.arange(D.shape[1]), D]).sum(1)
    shares: NDArray[np.float64] = np.exp(log - log.max())
    shares /= shares.sum()
    return shares


class _Base(Space if TYPE_CHECKING else object):  # type: ignore[misc]
    """What the class below is mixed into."""


class _Within(_Base):
    """Overrides what proposes architectures."""

    _whole: Space
    _rows: Population
    _places: dict[str, int]
    _shares: NDArray[np.float64] | None

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` rows, uniformly or by weight, repetitions possible."""
        if self._shares is not None:
            return self._rows[rng.choice(len(self._rows), size=n, p=self._shares)]
        return self._rows[rng.integers(len(self._rows), size=n)]

    def architecture(self, decisions: NDArray[np.integer] | Iterable[int]) -> Architecture:
        """Any valid architecture of the whole space, a row or not."""
        return self._whole.architecture(decisions)

    def canonical(self, population: Population) -> Population:
        """The nearest row of each."""
        found = self._whole.canonical(population)
        keys = found.keys
        places = np.array([self._places.get(key, -1) for key in keys], dtype=np.intp)
        for i in np.flatnonzero(places < 0):
            near = self._nearest(found.decisions[i])
            places[i] = near[int(keys[i], 16) % len(near)]
        return self._rows[places]

    def neighbours(self, arch: Architecture) -> Population:
        """The rows one edit away from ``arch``, or, where there are none, the nearest other rows."""
        near = self._whole.neighbours(arch)
        near = near[np.array([key in self._places for key in near.keys], dtype=bool)]
        return near if len(near) else self._rows[self._nearest(arch.decisions, self._places.get(arch.key))]

    def mutate(self, population: Population, rng: np.random.Generator) -> Population:
        """A mutant of the whole space where one that is a row is soon found, else one of the neighbours."""
        parents = population.keys
        chosen: list[Architecture | None] = [None] * len(parents)
        for _ in range(_TRIES):
            todo = [i for i, arch in enumerate(chosen) if arch is None]
            if not todo:
                break
            mutants = self._whole.mutate(population[np.array(todo)], rng)
            for i, mutant, key in zip(todo, mutants, mutants.keys, strict=True):
                chosen[i] = mutant if key in self._places and key != parents[i] else None
        known: dict[str, Population] = {}
        for i, key in enumerate(parents):
            if chosen[i] is None:
                near = known[key] if key in known else known.setdefault(key, self.neighbours(population[i]))
                chosen[i] = near[int(rng.integers(len(near)))] if len(near) else population[i]
        return Population.of(self.schema, [arch for arch in chosen if arch is not None])

    def _nearest(self, decisions: NDArray[np.integer], without: int | None = None) -> NDArray[np.intp]:
        """Places of the rows with the fewest decisions other than these, in order."""
        D = self._rows.decisions
        step = max(1, _CELLS // D.shape[1])
        parts = [(D[start : start + step] != decisions).sum(1) for start in range(0, len(D), step)]
        distance = np.concatenate(parts)
        if without is not None:
            distance[without] = D.shape[1] + 1
        found: NDArray[Any] = np.flatnonzero(distance == distance.min())
        return found[found != without] if without is not None else found
