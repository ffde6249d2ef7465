"""A genetic algorithm without a model.

Source: Mühlenbein and Schlierkamp-Voosen, "Predictive Models for the Breeder Genetic Algorithm", Evolutionary
Computation 1 (1993), for truncation selection; Syswerda, "Uniform Crossover in Genetic Algorithms", ICGA 1989.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.search.objectives import Objectives
from gennas.search.packing import pack_trials, unpack_trials
from gennas.search.strategies.evolution.variation import check_probability, edited
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["Genetic"]

DEFAULT_START = 20


@STRATEGIES.register("genetic")
class Genetic(Strategy):
    """Children of the best: uniform crossover, one to a few edits, survival of the fittest; in batches.

    A round: (1) of everything evaluated the best ``parents`` are kept; (2) pairs of them are drawn, each as the best
    of ``tournament`` drawn ones, or uniformly with ``selection="truncation"``; (3) with probability ``crossover`` a
    child takes every decision from either parent, else all from the first; (4) it is edited once, and again with
    probability ``further_edits`` each; (5) children that are known or break a cheap constraint are drawn again; (6)
    ``round_size`` are proposed. There is no model: it is the baseline that one has to beat, and costs next to nothing.

    Args:
        space: where to search.
        objectives: what is better; with several, fronts and crowding decide.
        seed: seed of every random decision.
        start: random architectures at first.
        parents: of the next children.
        selection: ``tournament`` or ``truncation``.
        tournament: drawn parents of which the best is taken.
        crossover: probability that a child has two parents.
        further_edits: probability of every edit of a child after its first.
        round_size: children per round.

    Raises:
        ConfigError: a number is not positive, or a probability is none.

    Example:
        >>> from gennas.search import Objective, Objectives
        >>> from gennas.spaces import NASBench201
        >>> len(Genetic(NASBench201(), Objectives((Objective("accuracy", "max"),)), start=8).ask(20))
        8
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        start: int = DEFAULT_START,
        parents: int = 50,
        selection: Literal["truncation", "tournament"] = "tournament",
        tournament: int = 10,
        crossover: float = 0.5,
        further_edits: float = 0.33,
        round_size: int = 10,
    ) -> None:
        super().__init__(space, objectives, seed)
        sizes = {"start": start, "parents": parents, "tournament": tournament, "round_size": round_size}
        if min(sizes.values()) < 1 or selection not in ("truncation", "tournament"):
            raise ConfigError(f"Expected positive sizes and truncation or tournament, got {sizes} and {selection!r}.")
        check_probability(crossover=crossover)
        check_probability(highest_excluded=True, further_edits=further_edits)
        self.start, self.parents, self.round_size = start, parents, round_size
        self.drawn = tournament if selection == "tournament" else 1
        self.crossover, self.further_edits = crossover, further_edits
        self._members: list[Trial] = []  # the best, in order
        self._asked = self._told = 0  # of the start; of all trials

    @property
    def batch_size(self) -> int:
        """The whole start, then a round."""
        return self._missing if self._missing > 0 else self.round_size

    @property
    def _missing(self) -> int:
        """What the start lacks; trials of others count."""
        return self.start - max(self._asked, self._told)

    @property
    def initial_evaluations(self) -> int:
        """The start."""
        return self.start

    @classmethod
    def for_budget(cls, budget: int) -> dict[str, Any]:
        """A start of a quarter of the budget, where the default one would be more than half of it."""
        return {"start": max(2, budget // 4)} if budget < 2 * DEFAULT_START else {}

    def ask(self, n: int) -> list[Proposal]:
        """Random architectures at first, then children of the best."""
        if self._missing > 0 or not any(t.ok for t in self._members):
            archs = self._random_unseen(min(n, max(1, self._missing)))
            self._asked += len(archs)
            return [Proposal(arch, Origin("random")) for arch in archs]
        return self._children(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        """The best of former members and new trials survive."""
        self.seen.update(t.arch.key for t in trials)
        self._told += len(trials)
        pool = [*self._members, *trials]
        order = np.argsort(-self.objectives.utilities(pool), kind="stable")
        self._members = [pool[int(i)] for i in order[: self.parents]]

    def _children(self, n: int) -> list[Proposal]:
        """Up to ``n`` children that are new; a random architecture where twenty times as many bring none."""
        found: list[Proposal] = []
        members = Population.of(self.space.schema, [t.arch for t in self._members])
        for _ in range(20):
            first, second = self._winners(2 * n), self._winners(2 * n)
            crossed = (self.rng.random(2 * n) < self.crossover) & (first != second)
            bred = members[first]
            if crossed.any():
                rows = np.flatnonzero(crossed)
                bred = bred.replaced(rows, self.space.crossover(bred[rows], members[second[rows]], self.rng))
            children = edited(self.space, bred, self.rng, self.further_edits)
            for i in np.flatnonzero(self._keeps_cheap(children)).tolist():
                if len(found) < n and children.keys[i] not in self.seen:
                    parents = [members.keys[first[i]], *([members.keys[second[i]]] if crossed[i] else [])]
                    source = "crossover" if crossed[i] else "mutation"
                    found.append(self._propose(children[i], Origin(source, tuple(parents))))
            if len(found) == n:
                break
        return found or [Proposal(arch, Origin("random")) for arch in self._random_unseen(1)]

    def _winners(self, n: int) -> NDArray[np.int64]:
        """Rows of drawn parents: members are kept in order, so that the lowest index of a tournament wins."""
        winners: NDArray[np.int64] = self.rng.integers(len(self._members), size=(n, self.drawn)).min(1)
        return winners

    def state_dict(self) -> dict[str, Any]:
        """Members in order, how far the start is, and the random state."""
        own = {"members": pack_trials(self._members), "asked": self._asked, "told": self._told}
        return super().state_dict() | own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore them."""
        super().load_state_dict(state)
        self._members = unpack_trials(self.space, state["members"])
        self._asked, self._told = state["asked"], state["told"]
