"""Local search: first-improvement hill climbing with restarts.

Sources: White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search",
UAI 2021, arXiv 2005.02960; wider neighbourhoods after Mladenović and Hansen, "Variable neighborhood search",
Computers & Operations Research 24 (1997); restarts near the best after Lourenço, Martin and Stützle,
"Iterated Local Search", 2003, arXiv math/0102188.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.search.objectives import Objectives
from gennas.search.packing import pack_trials, unpack_trials
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["LocalSearch"]


@STRATEGIES.register("local-search")
class LocalSearch(Strategy):
    """Walks to the first better neighbour, in random order; restarts at a local optimum.

    Neighbours that were evaluated before are not bought again. Asked for several proposals at once
    it gives the next neighbours in line and moves to the first that improves.

    At a bound, where one layer must give what another one gains, no single edit helps: ``edits=2`` then goes on with
    random architectures two edits away before it gives up.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        edits: once no single edit helps, random architectures of 2, 3, … up to so many edits are tried; 1: none are.
        tries: how many of each such distance.
        restart_edits: a restart is the best architecture of all after so many edits; 0: a random one.

    Raises:
        ConfigError: a number is too small.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        edits: int = 1,
        tries: int = 50,
        restart_edits: int = 0,
    ) -> None:
        super().__init__(space, objectives, seed)
        if edits < 1 or tries < 1 or restart_edits < 0:
            raise ConfigError(
                "Expected at least one edit, one try and no fewer than 0 edits at a restart, got "
                f"edits={edits}, tries={tries}, restart_edits={restart_edits}."
            )
        self.edits, self.tries, self.restart_edits = edits, tries, restart_edits
        self._current: Trial | None = None
        self._best: Trial | None = None  # of all walks, where restarts need it
        self._queue: list[Architecture] = []
        self._distance = 1  # edits between the current architecture and what stands in line

    def ask(self, n: int) -> list[Proposal]:
        """The next unseen neighbours of the current architecture, or a restart."""
        if self._current is not None:
            fresh = [a for a in self._queue if a.key not in self.seen]
            while not fresh and self._distance < self.edits:
                self._distance += 1
                fresh = self._away(self._current.arch, self._distance, self.tries)
            chosen, self._queue = fresh[:n], fresh[n:]
            if chosen:
                parent = self._current.arch.key
                return [self._propose(arch, Origin("neighbour", (parent,))) for arch in chosen]
        if self._best is not None:
            near = self._away(self._best.arch, self.restart_edits, 1)
            if near:
                return [self._propose(near[0], Origin("restart", (self._best.arch.key,)))]
        return [Proposal(arch, Origin("restart")) for arch in self._random_unseen(1)]

    def _away(self, arch: Architecture, edits: int, count: int) -> list[Architecture]:
        """Up to ``count`` unseen architectures some edits away that keep the cheap constraints."""
        found: dict[str, Architecture] = {}
        for _ in range(10):
            archs = Population.of(self.space.schema, [arch] * max(20, 2 * count))
            for _ in range(edits):
                archs = self.space.mutate(archs, self.rng)
            kept = np.flatnonzero(self._keeps_cheap(archs))
            found |= {archs.keys[i]: archs[i] for i in kept.tolist() if archs.keys[i] not in self.seen}
            if len(found) >= count:
                break
        return list(found.values())[:count]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Move to a restart's architecture, or to any that improves on the current one."""
        for trial in trials:
            self.seen.add(trial.arch.key)
            if self._current is None or trial.proposal.origin.source == "restart" or self._improves(trial):
                self._move(trial)
            if self.restart_edits and (self._best is None or self._is_better(trial, self._best)):
                self._best = trial

    def _improves(self, trial: Trial) -> bool:
        assert self._current is not None  # asked only when there is a current architecture
        return self._is_better(trial, self._current)

    def _is_better(self, trial: Trial, other: Trial) -> bool:
        now, new = self.objectives.utilities([other, trial])
        return bool(new > now)

    def _move(self, trial: Trial) -> None:
        self._current, self._distance = trial, 1
        near = self.space.neighbours(trial.arch)
        near = near[self._keeps_cheap(near)]
        self._queue = list(near[self.rng.permutation(len(near))])

    def state_dict(self) -> dict[str, Any]:
        """The walk's position, the neighbours still in line, and the random state."""
        state = super().state_dict()
        state["queue"] = [a.decisions.tolist() for a in self._queue]
        if self._current is not None:
            state["current"] = dict(self._current.metrics)
            state["arch"] = self._current.arch.decisions.tolist()
            state["status"] = self._current.status
        if self.edits > 1:
            state["distance"] = self._distance
        if self._best is not None:
            state["best"] = pack_trials([self._best])
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the walk."""
        super().load_state_dict(state)
        self._queue = [self.space.architecture(np.array(row)) for row in state["queue"]]
        if "arch" in state:
            arch = self.space.architecture(np.array(state["arch"]))
            self._current = Trial(Proposal(arch, Origin("restored")), state["status"], state["current"])
        self._distance = state.get("distance", 1)
        self._best = next(iter(unpack_trials(self.space, state.get("best", []))), None)
