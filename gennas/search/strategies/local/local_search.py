"""Local search: first-improvement hill climbing with random restarts.

Source: White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search",
UAI 2021, arXiv 2005.02960.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennas.graph import Architecture
from gennas.search.objectives import Objectives
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["LocalSearch"]


@STRATEGIES.register("local-search")
class LocalSearch(Strategy):
    """Walks to the first better neighbour, in random order; restarts at a local optimum.

    Neighbours that were evaluated before are not bought again. Asked for several proposals at once
    it gives the next neighbours in line and moves to the first that improves.
    """

    def __init__(self, space: Space, objectives: Objectives, seed: int = 0) -> None:
        super().__init__(space, objectives, seed)
        self._current: Trial | None = None
        self._queue: list[Architecture] = []

    def ask(self, n: int) -> list[Proposal]:
        """The next unseen neighbours of the current architecture, or a random start."""
        if self._current is not None:
            fresh = [a for a in self._queue if a.key not in self.seen]
            chosen, self._queue = fresh[:n], fresh[n:]
            if chosen:
                parent = self._current.arch.key
                return [self._propose(arch, Origin("neighbour", (parent,))) for arch in chosen]
        return [Proposal(arch, Origin("restart")) for arch in self._random_unseen(1)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Move to a restart's architecture, or to any that improves on the current one."""
        for trial in trials:
            self.seen.add(trial.arch.key)
            if self._current is None or trial.proposal.origin.source == "restart" or self._improves(trial):
                self._move(trial)

    def _improves(self, trial: Trial) -> bool:
        assert self._current is not None  # asked only when there is a current architecture
        now, new = self.objectives.utilities([self._current, trial])
        return bool(new > now)

    def _move(self, trial: Trial) -> None:
        self._current = trial
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
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the walk."""
        super().load_state_dict(state)
        self._queue = [self.space.architecture(np.array(row)) for row in state["queue"]]
        if "arch" in state:
            arch = self.space.architecture(np.array(state["arch"]))
            self._current = Trial(Proposal(arch, Origin("restored")), state["status"], state["current"])
