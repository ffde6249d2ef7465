"""How children are made of parents where a pool is evolved: edits and crossings here, generators in their own files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from gennas.graph import Population
from gennas.registry import Registry
from gennas.search.strategies.evolution.variation import edited
from gennas.search.strategies.sources import Evidence
from gennas.spaces.base import Space

__all__ = ["KERNELS", "CrossoverKernel", "Kernel", "MutationKernel"]

_FURTHER = 1 / 3  # chance of each further edit
_MOST_EDITS = 3


class Kernel(ABC):
    """Makes children of parents, for :class:`gennas.search.strategies.evolved.EvolvedSource`.

    :attr:`cost` is the CPU time that it takes to make *and rank* a child, in units of that by :class:`MutationKernel`.
    It is a constant that whoever writes a kernel measures once: a search must propose the same on every machine, so no
    clock may decide how many children a kernel gets. What does not grow with the children, as the training of a
    generator, is not in it. Those of gennas were measured on chains of 8 and 12 layers with 60 labels.

    Args:
        space: where parents and children belong.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> class Copies(Kernel):
        ...     '''The parents themselves.'''
        ...
        ...     def vary(self, parents, n, evidence, progress, rng):
        ...         return parents[rng.integers(len(parents), size=n)]
        >>> Copies(NASBench201()).state_dict()
        {}
    """

    cost: ClassVar[float] = 1.0

    def __init__(self, space: Space) -> None:
        self.space = space

    @abstractmethod
    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Return about ``n`` children, valid and canonical; they may repeat, equal a parent, or break constraints.

        Args:
            parents: what the last generation left, one or more.
            n: how many children.
            evidence: what the round knows.
            progress: of the evolution within the round, from 0 (first generation) to 1 (last).
            rng: the only source of randomness.
        """

    def state_dict(self) -> dict[str, Any]:
        """What it remembers, plain values and arrays; by default nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most remember nothing
        """Restore what :meth:`state_dict` returned."""


KERNELS: Registry[type[Kernel]] = Registry("kernel", "gennas.kernels")
"""Kernels by name."""


@KERNELS.register("mutation")
class MutationKernel(Kernel):
    """One edit of a parent, a second with probability 1/3, after that a third with probability 1/3."""

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Mutants of parents that are drawn uniformly."""
        return edited(self.space, parents[rng.integers(len(parents), size=n)], rng, _FURTHER, _MOST_EDITS)


@KERNELS.register("crossover")
class CrossoverKernel(Kernel):
    """Every decision from either of two parents, kept legal from first to last."""

    cost = 0.6

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Children of pairs of parents that are drawn uniformly."""
        first, second = rng.integers(len(parents), size=(2, n))
        return self.space.crossover(parents[first], parents[second], rng)
