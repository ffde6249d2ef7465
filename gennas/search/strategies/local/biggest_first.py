"""A control that learns nothing: the largest architectures first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.search.objectives import Objectives
from gennas.search.screen import Screen
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["BiggestFirst", "sizes"]


def sizes(archs: Population, screen: Screen | None = None) -> NDArray[np.float64]:
    """Size of each architecture, ``(b,)``: the first cheap metric, else the sum of the numbers that its labels have."""
    if screen is not None and screen.metrics and len(archs):
        return screen.columns(archs)[screen.metrics[0]]
    numbers = np.array([archs.schema.ordinals.get(label, 0.0) for label in archs.schema.node_labels])
    found: NDArray[np.float64] = numbers[archs.X].sum(1)
    return found


@STRATEGIES.register("biggest-first")
class BiggestFirst(Strategy):
    """Evaluates random architectures by decreasing size, within the cheap bounds; what it is told changes nothing.

    Larger networks are often better, so that a search under a bound has to beat who only fills it. The size is the
    first cheap metric (``--cheap params``); without one it is the sum of the numbers that the labels have (widths,
    kernels, depths), and where labels have none the order is random. Of ``pool_size`` random architectures all are
    evaluated before others are drawn.

    Args:
        space: where to search.
        objectives: what is better; only their bounds are looked at.
        seed: seed of every random decision.
        pool_size: random architectures that are put in order.

    Raises:
        ConfigError: the pool is empty.
    """

    def __init__(self, space: Space, objectives: Objectives, seed: int = 0, *, pool_size: int = 1000) -> None:
        super().__init__(space, objectives, seed)
        if pool_size < 1:
            raise ConfigError(f"Expected a positive pool_size, got {pool_size}.")
        self.pool_size = pool_size
        self._queue: list[Architecture] = []

    @property
    def batch_size(self) -> int:
        """Proposals do not depend on outcomes, so batches may be large."""
        return 32

    @property
    def initial_evaluations(self) -> int:
        """None: it never learns."""
        return 0

    def ask(self, n: int) -> list[Proposal]:
        """The next ones in line."""
        self._queue = [arch for arch in self._queue if arch.key not in self.seen]
        if not self._queue:
            self._queue = self._line()
        chosen, self._queue = self._queue[:n], self._queue[n:]
        if chosen:
            return [self._propose(arch, Origin("biggest")) for arch in chosen]
        return [Proposal(arch, Origin("random")) for arch in self._random_unseen(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember foreign architectures, so that they are not bought again."""
        self.seen.update(t.arch.key for t in trials)

    def _line(self) -> list[Architecture]:
        """Random architectures that are new and keep the cheap bounds, the largest first."""
        drawn = self.space.sample(self.pool_size, self.rng).unique()
        fresh = np.array([key not in self.seen for key in drawn.keys])
        drawn = drawn[np.flatnonzero(fresh & self._keeps_cheap(drawn))]
        return list(drawn[np.argsort(-sizes(drawn, self.screen), kind="stable")])

    def state_dict(self) -> dict[str, Any]:
        """What stands in line, and the random state."""
        return super().state_dict() | {"queue": [arch.decisions.tolist() for arch in self._queue]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        super().load_state_dict(state)
        self._queue = [self.space.architecture(np.array(row)) for row in state["queue"]]
