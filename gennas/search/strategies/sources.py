"""Where candidates come from: the space itself, mutations and crossings of the best, and whatever else draws some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Population
from gennas.registry import Registry
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.search.columns import CheapFeatures
    from gennas.search.strategies.bayesian.beliefs import Outcomes
    from gennas.search.trial import Trial

__all__ = ["SOURCES", "CrossoverSource", "Evidence", "MutationSource", "RandomSource", "Source"]


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """What is known when a pool is drawn.

    Args:
        archs: what was evaluated, ``b`` architectures.
        outcomes: what came of them.
        elites: how many of the best count as such.
        acquisition: what :meth:`value` asks, under this round's beliefs; None where nothing is predicted.
        cheap: what :meth:`keeps` asks; None where no metric is known in advance.
        seen: keys that were proposed or told before.
        trials: everything that was told, failures among it, in order.
        features: what is computed of architectures without a label; None where there is nothing.
    """

    archs: Population
    outcomes: Outcomes
    elites: int
    acquisition: Callable[[Population], FloatArray] | None = None
    cheap: Callable[[Population], BoolArray] | None = None
    seen: Collection[str] = frozenset()
    trials: Sequence[Trial] = ()
    features: CheapFeatures | None = None

    @property
    def best(self) -> NDArray[np.intp]:
        """Rows of the elites, the best first."""
        return np.argsort(-self.outcomes.utility, kind="stable")[: self.elites]

    def value(self, archs: Population) -> FloatArray | None:
        """What an evaluation of each is expected to bring, ``(b,)``: the acquisition by which the round ranks its pool.

        Expected improvement is logarithmic, so differences are in nats. The same architecture has the same value all
        through a round, also where the acquisition is random. None where nothing is predicted (``surrogate=none``).
        """
        return None if self.acquisition is None else self.acquisition(archs)

    def keeps(self, archs: Population) -> BoolArray:
        """Whether each keeps the constraints on cheap metrics, ``(b,)``."""
        return np.ones(len(archs), dtype=bool) if self.cheap is None else self.cheap(archs)

    def known(self, archs: Population) -> BoolArray:
        """Whether each was proposed or evaluated before, ``(b,)``."""
        return np.array([key in self.seen for key in archs.keys], dtype=bool)


class Source(ABC):
    """Draws candidates for the pool of a round.

    A strategy that ranks a pool calls :meth:`draw` of every source once in a round, in the order of the sources'
    names in its shares, generators first. What is drawn is valid and canonical; it may repeat itself and hold what
    was evaluated before: the strategy drops that. A source depends on its arguments and on ``rng`` alone.

    Args:
        space: where candidates belong.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> class Simplest(Source):
        ...     '''Always the first architecture.'''
        ...
        ...     def draw(self, n, evidence, rng):
        ...         return Population.of(self.space.schema, [evidence.archs[0]] * n)
        >>> Simplest(NASBench201()).state_dict()
        {}
    """

    def __init__(self, space: Space) -> None:
        self.space = space

    @abstractmethod
    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Return about ``n`` candidates."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers, plain values and arrays; by default nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most remember nothing
        """Restore what :meth:`state_dict` returned."""


SOURCES: Registry[type[Source]] = Registry("source", "gennas.sources")
"""Sources by name, for ``shares``; generators are in :data:`gennas.generators.registry.GENERATORS`."""


@SOURCES.register("random")
class RandomSource(Source):
    """The space's own sampling."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Random architectures."""
        return self.space.sample(n, rng)


@SOURCES.register("mutation")
class MutationSource(Source):
    """Mutations of the best, a third of them mutated twice."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Mutants of elites that are drawn uniformly."""
        mutants = self.space.mutate(evidence.archs[rng.choice(evidence.best, size=n)], rng)
        once = len(mutants) - len(mutants) // 3
        return Population.concat([mutants[:once], self.space.mutate(mutants[once:], rng)])


@SOURCES.register("crossover")
class CrossoverSource(Source):
    """Children of two of the best."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Children of pairs of elites that are drawn uniformly."""
        first, second = rng.choice(evidence.best, size=(2, n))
        return self.space.crossover(evidence.archs[first], evidence.archs[second], rng)
