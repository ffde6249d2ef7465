"""NSGA-II: elitist non-dominated sorting with crowding.

Source: Deb, Pratap, Agarwal and Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II", IEEE Transactions on Evolutionary Computation 6 (2002).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.search.objectives import Objectives
from gennas.search.packing import pack_trials, unpack_trials
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["NSGA2"]


@STRATEGIES.register("nsga2")
class NSGA2(Strategy):
    """Evolution of a whole Pareto front: generations of children, and the best of parents and children survive.

    A generation: binary tournaments choose parents, pairs of them are crossed uniformly with probability
    ``crossover``, every child is mutated once; of parents and children together the ``population_size``
    best survive, by front, then by crowding distance (the boundary of a front first). Infeasible ones
    come after all feasible ones, by violation (Deb's rule). A child that was evaluated before is made
    again, so that the budget buys distinct architectures.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        population_size: members, and children per generation.
        crossover: probability that a child has two parents.

    Raises:
        ConfigError: fewer than two members, or a probability outside of [0, 1].

    Example:
        >>> from gennas.search import Objective, Objectives
        >>> from gennas.spaces import NASBench201
        >>> goals = Objectives((Objective("accuracy", "max"), Objective("latency_ms", "min")))
        >>> len(NSGA2(NASBench201(), goals, seed=1).ask(20))
        20
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        population_size: int = 20,
        crossover: float = 0.9,
    ) -> None:
        super().__init__(space, objectives, seed)
        if population_size < 2 or not 0 <= crossover <= 1:
            raise ConfigError(
                f"Expected at least two members and a probability of crossover, got {population_size} and {crossover}."
            )
        self.population_size, self.crossover = population_size, crossover
        self._members: list[Trial] = []
        self._children: list[Trial] = []
        self._started = 0  # random members asked for so far

    @property
    def batch_size(self) -> int:
        """What is missing of a generation."""
        return max(1, self.population_size - len(self._children) if self._members else self._missing)

    @property
    def _missing(self) -> int:
        """What the first generation lacks; trials of others count."""
        return 0 if self._members else self.population_size - max(self._started, len(self._children))

    @property
    def initial_evaluations(self) -> int:
        """The first population."""
        return self.population_size

    def ask(self, n: int) -> list[Proposal]:
        """Random members until the population is full, then children."""
        if self._missing > 0 or not any(t.ok for t in self._members):
            archs = self._random_unseen(min(n, max(1, self._missing)))
            self._started += len(archs)
            return [Proposal(arch, Origin("random")) for arch in archs]
        return self._offspring(min(n, self.population_size))

    def tell(self, trials: Sequence[Trial]) -> None:
        """Trials are kept until their generation is complete; then the best survive."""
        self.seen.update(t.arch.key for t in trials)
        self._children.extend(trials)
        if len(self._children) >= self.population_size:
            pool = [*self._members, *self._children]
            order = np.argsort(-self.objectives.utilities(pool), kind="stable")
            self._members, self._children = [pool[int(i)] for i in order[: self.population_size]], []

    def _offspring(self, n: int) -> list[Proposal]:
        """Up to ``n`` children that are new; random architectures where fifty generations of them bring none."""
        found: list[Proposal] = []
        for _ in range(50):
            first, second = self._tournaments(n), self._tournaments(n)
            parents = [[self._members[int(i)].arch for i in side] for side in (first, second)]
            a, b = (Population.of(self.space.schema, side) for side in parents)
            crossed = self.rng.random(n) < self.crossover
            pairs = Population.concat([self.space.crossover(a, b, self.rng), a])
            children = self.space.mutate(pairs[np.where(crossed, np.arange(n), np.arange(n, 2 * n))], self.rng)
            kept = self._keeps_cheap(children)
            for i, child in enumerate(children):
                if len(found) < n and kept[i] and child.key not in self.seen:
                    keys = (parents[0][i].key, parents[1][i].key) if crossed[i] else (parents[0][i].key,)
                    found.append(self._propose(child, Origin("crossover" if crossed[i] else "mutation", keys)))
            if len(found) == n:
                return found
        return found or [Proposal(arch, Origin("random")) for arch in self._random_unseen(1)]

    def _tournaments(self, n: int) -> NDArray[np.int64]:
        """Winners of ``n`` binary tournaments: members are kept in order, so the lower index wins."""
        winners: NDArray[np.int64] = self.rng.integers(len(self._members), size=(n, 2)).min(1)
        return winners

    def state_dict(self) -> dict[str, Any]:
        """Members in order, the unfinished generation, and the random state."""
        return super().state_dict() | {
            "members": pack_trials(self._members),
            "children": pack_trials(self._children),
            "started": self._started,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore them."""
        super().load_state_dict(state)
        self._members = unpack_trials(self.space, state["members"])
        self._children = unpack_trials(self.space, state["children"])
        self._started = state["started"]
