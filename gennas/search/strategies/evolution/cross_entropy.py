"""The cross-entropy method: a distribution of each decision by itself, moved towards the elites.

Sources: Rubinstein 1999, "The Cross-Entropy Method for Combinatorial and Continuous Optimization", Methodology and
Computing in Applied Probability 1; de Boer, Kroese, Mannor and Rubinstein 2005, "A Tutorial on the Cross-Entropy
Method", Annals of Operations Research 134.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population, draw_labels
from gennas.search.objectives import Objectives
from gennas.search.strategies.evolution.variation import check_probability
from gennas.search.strategies.rounds import Rounds
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal
from gennas.spaces.base import Space

__all__ = ["CrossEntropy"]

FloatArray = NDArray[np.float64]

_TRIES = 20  # times that a round draws before it takes random architectures


@STRATEGIES.register("cross-entropy")
class CrossEntropy(Rounds):
    r"""Draws every decision by itself from a distribution that moves towards the elites, round by round.

    Of all architectures so far the best ``elites`` part gives the frequencies :math:`f_{ta}` of label ``a`` at decision
    ``t``; then :math:`p \leftarrow (1 - \text{smoothing})\,p + \text{smoothing}\,f`. A sample takes its decisions from
    first to last, with ``p`` among the labels that are legal there, and with probability ``explore`` any of them. The
    control for proposers that know how decisions depend on each other: this one does not.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        round_size: proposals per round.
        elites: part of what was evaluated that the distribution moves to.
        smoothing: how far it moves each round.
        explore: probability of any legal label at a decision.

    Raises:
        ConfigError: a size is not positive, or a part or a probability is none.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        warm_start: int = 10,
        round_size: int = 5,
        elites: float = 0.2,
        smoothing: float = 0.5,
        explore: float = 0.05,
    ) -> None:
        super().__init__(space, objectives, seed, warm_start=warm_start, round_size=round_size)
        check_probability(elites=elites, smoothing=smoothing, explore=explore)
        if elites == 0:
            raise ConfigError("Expected a part of elites in (0, 1], got 0.")
        self.elites, self.smoothing, self.explore = elites, smoothing, explore
        mask = space.schema.decision_mask
        self._p: FloatArray = mask / np.maximum(mask.sum(1, keepdims=True), 1)

    @property
    def probabilities(self) -> FloatArray:
        """The distribution of every decision, ``(d, L)``; rows sum to 1."""
        return self._p.copy()

    def _begin_round(self) -> list[Proposal]:
        self._round, self._new = self._round + 1, 0
        self._move()
        found: dict[str, Proposal] = {}
        for _ in range(_TRIES):
            archs = self._drawn(4 * self.round_size)
            for i in np.flatnonzero(self._keeps_cheap(archs)).tolist():
                if archs.keys[i] not in self.seen:
                    found.setdefault(archs.keys[i], Proposal(archs[i], Origin("cross-entropy")))
            if len(found) >= self.round_size:
                break
        proposals = list(found.values())[: self.round_size]
        return proposals or [Proposal(arch, Origin("random")) for arch in self._random_round(self.round_size)]

    def _move(self) -> None:
        """Move towards the frequencies of the elites."""
        archs, trials = self._evaluated()
        order = np.argsort(-self.objectives.utilities(trials), kind="stable")
        D = archs.decisions[order[: max(2, round(self.elites * len(order)))]]
        frequencies = (D[:, :, None] == np.arange(self.space.schema.num_symbols)).mean(0)
        self._p = (1 - self.smoothing) * self._p + self.smoothing * frequencies

    def _drawn(self, n: int) -> Population:
        """``n`` samples, valid and canonical."""
        schema = self.space.schema
        D = np.zeros((n, schema.num_decisions), dtype=np.int16)
        for t in range(schema.num_decisions):
            legal = np.broadcast_to(self.space.legal(D, t), (n, schema.num_symbols))
            weights = legal * ((1 - self.explore) * self._p[t] + self.explore / max(1, legal.shape[1]))
            D[:, t] = draw_labels(np.where(weights.sum(1, keepdims=True) > 0, weights, legal), self.rng)
        archs = Population.from_decisions(schema, D)
        return self.space.canonical(archs[np.flatnonzero(self.space.is_valid(archs))])

    def state_dict(self) -> dict[str, Any]:
        """Everything told, and the distribution."""
        return super().state_dict() | {"probabilities": self._p}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore both."""
        super().load_state_dict(state)
        self._p = np.array(state["probabilities"], dtype=np.float64)
