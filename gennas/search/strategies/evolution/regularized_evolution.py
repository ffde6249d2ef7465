"""Regularised (aging) evolution.

Source: Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture
Search", AAAI 2019, arXiv 1802.01548.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.search.objectives import Objectives
from gennas.search.strategies.evolution.variation import check_probability, edited
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["RegularizedEvolution"]

DEFAULT_POPULATION = 50


@STRATEGIES.register("regularized-evolution")
class RegularizedEvolution(Strategy):
    """Tournament selection in a population from which the oldest, not the worst, is removed.

    Each step draws ``sample_size`` members with replacement, mutates the best of them once, and the
    child replaces the oldest member. A child that was evaluated before, or that breaks a constraint on a
    cheap metric, is drawn again, so that the budget buys distinct architectures.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        population_size: members (the first ones are random).
        sample_size: members drawn for each tournament.
        further_edits: probability of every edit of a child after its first; 0: one edit, as published.
        crossover: probability that a child is crossed of two winners before it is edited; 0: never, as published.

    Raises:
        ConfigError: a size is not positive, or a probability is none.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        population_size: int = DEFAULT_POPULATION,
        sample_size: int = 10,
        further_edits: float = 0.0,
        crossover: float = 0.0,
    ) -> None:
        super().__init__(space, objectives, seed)
        if population_size < 1 or sample_size < 1:
            raise ConfigError(f"Expected positive sizes, got population {population_size}, sample {sample_size}.")
        check_probability(crossover=crossover)
        check_probability(highest_excluded=True, further_edits=further_edits)
        self.population_size, self.sample_size = population_size, sample_size
        self.further_edits, self.crossover = further_edits, crossover
        self._population: deque[Trial] = deque(maxlen=population_size)
        self._started = 0  # random members asked for so far

    @property
    def batch_size(self) -> int:
        """The whole first population at once, then one child at a time."""
        return max(1, self._missing)

    @property
    def _missing(self) -> int:
        """What the first population lacks; trials of others count."""
        return self.population_size - max(self._started, len(self._population))

    @property
    def initial_evaluations(self) -> int:
        """The first population."""
        return self.population_size

    @classmethod
    def for_budget(cls, budget: int) -> dict[str, Any]:
        """A population of a quarter of the budget, where the default one would be more than half of it."""
        return {"population_size": max(2, budget // 4)} if budget < 2 * DEFAULT_POPULATION else {}

    def ask(self, n: int) -> list[Proposal]:
        """Random members until the population is full, then children of tournament winners."""
        missing = self._missing
        if missing > 0 or not self._population:
            members = self._random_unseen(min(n, max(missing, 1)))
            self._started += len(members)
            return [Proposal(arch, Origin("random")) for arch in members]
        return [p for p in (self._child() for _ in range(n)) if p is not None]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Trials join the population; the oldest members leave."""
        self.seen.update(t.arch.key for t in trials)
        self._population.extend(trials)

    def _child(self) -> Proposal | None:
        for _ in range(50):
            parents = [self._tournament()]
            bred = Population.of(self.space.schema, parents)
            if self.crossover and self.rng.random() < self.crossover:
                parents.append(self._tournament())
                bred = self.space.crossover(bred, Population.of(self.space.schema, parents[1:]), self.rng)
            children = edited(self.space, bred, self.rng, self.further_edits)
            if children[0].key not in self.seen and self._keeps_cheap(children)[0]:
                source = "mutation" if len(parents) == 1 else "crossover"
                return self._propose(children[0], Origin(source, tuple(parent.key for parent in parents)))
        return next((Proposal(arch, Origin("random")) for arch in self._random_unseen(1)), None)

    def _tournament(self) -> Architecture:
        drawn = self.rng.integers(len(self._population), size=self.sample_size)
        members = [self._population[int(i)] for i in drawn]
        return members[int(np.argmax(self.objectives.utilities(members)))].arch

    def state_dict(self) -> dict[str, Any]:
        """Population, from oldest to youngest, and the random state."""
        members = [
            {"arch": t.arch.decisions.tolist(), "metrics": dict(t.metrics), "status": t.status}
            for t in self._population
        ]
        return {**super().state_dict(), "population": members, "started": self._started}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the population."""
        super().load_state_dict(state)
        self._started = state["started"]
        self._population.clear()
        for member in state["population"]:
            arch = self.space.architecture(np.array(member["arch"]))
            self._population.append(Trial(Proposal(arch, Origin("restored")), member["status"], member["metrics"]))
