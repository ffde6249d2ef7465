"""What strategies share that propose in rounds: warm start, archive, queue, state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.runtime.seeds import draw_seed
from gennas.search.objectives import Objectives
from gennas.search.packing import pack_proposals, pack_trials, unpack_proposals, unpack_trials
from gennas.search.strategy import Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["MANY_DECISIONS", "Rounds", "bounded", "check_positive", "hits_of", "ranks"]

MANY_DECISIONS = 256
"""Spaces of more decisions are large: work of generators that grows with them is bounded there."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_HIT = 0.9  # quantile of the archive above which an outcome is a hit


class Rounds(Strategy):
    """A warm start, then rounds of proposals that are made at once and asked for one after the other.

    A subclass says what a round proposes (:meth:`_begin_round`), and may say what the start is (:meth:`_starts`).

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: architectures evaluated before the first round.
        round_size: proposals per round.

    Raises:
        ConfigError: a size is not positive.
    """

    def __init__(
        self, space: Space, objectives: Objectives, seed: int = 0, *, warm_start: int = 8, round_size: int = 2
    ) -> None:
        super().__init__(space, objectives, seed)
        check_positive(warm_start=warm_start, round_size=round_size)
        self.warm_start, self.round_size = warm_start, round_size
        self._trials: list[Trial] = []
        self._queue: list[Proposal] = []  # of this round, in order, not asked for yet
        self._round = self._new = self._asked_warm = 0  # _new: trials told since the round began

    @abstractmethod
    def _begin_round(self) -> list[Proposal]:
        """Count a new round and return its proposals, in order; they are marked as seen when asked for."""

    @property
    def batch_size(self) -> int:
        """The whole warm start, then one round at a time."""
        return self._missing if self._missing > 0 else self.round_size

    @property
    def _missing(self) -> int:
        """What the warm start lacks; trials of others count, so that a search that starts from them needs none."""
        return self.warm_start - max(self._asked_warm, len(self._trials))

    @property
    def initial_evaluations(self) -> int:
        """The warm start."""
        return self.warm_start

    def ask(self, n: int) -> list[Proposal]:
        """The warm start's architectures, then this round's proposals."""
        missing = self._missing
        if missing > 0 or sum(t.ok for t in self._trials) < 2:
            starts = self._starts(min(n, max(missing, 1)))
            self._asked_warm += len(starts)
            return [Proposal(arch, Origin("random")) for arch in starts]
        self._queue = [p for p in self._queue if p.arch.key not in self.seen]  # told meanwhile by another
        if not self._queue or self._new >= self.round_size:
            self._queue = self._begin_round()
        chosen, self._queue = self._queue[:n], self._queue[n:]
        self.seen.update(p.arch.key for p in chosen)
        return chosen

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials."""
        self.seen.update(t.arch.key for t in trials)
        self._trials.extend(trials)
        self._new += len(trials)

    def _starts(self, n: int) -> list[Architecture]:
        """Up to ``n`` architectures of the warm start, marked as seen."""
        return self._random_unseen(n)

    def _random_round(self, n: int) -> list[Architecture]:
        """Up to ``n`` random architectures in place of a round: never seen, and not marked until they are asked for."""
        found = self._random_unseen(n)
        self.seen.difference_update(arch.key for arch in found)
        return found

    def _evaluated(self) -> tuple[Population, list[Trial]]:
        """What was evaluated without failure."""
        kept = [t for t in self._trials if t.ok]
        return Population.of(self.space.schema, [t.arch for t in kept]), kept

    def _seed(self) -> int:
        return draw_seed(self.rng)

    def state_dict(self) -> dict[str, Any]:
        """Everything told, remaining proposals, the random state."""
        return super().state_dict() | {
            "trials": pack_trials(self._trials),
            "queue": pack_proposals(self._queue),
            "counters": [self._round, self._new, self._asked_warm],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        super().load_state_dict(state)
        self._trials = unpack_trials(self.space, state["trials"])
        self._queue = unpack_proposals(self.space, state["queue"])
        self._round, self._new, self._asked_warm = state["counters"]


def check_positive(**sizes: float) -> None:
    """Raise ConfigError unless every size is positive."""
    wrong = {name: value for name, value in sizes.items() if value <= 0}
    if wrong:
        raise ConfigError(f"Expected positive values, got {', '.join(f'{k}={v}' for k, v in wrong.items())}.")


def bounded(number: int, space: Space, decisions: int) -> int:
    """``number`` of architectures, or in a large space as many as have ``decisions`` together, if that is fewer.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> bounded(350, NASBench201(), 100)
        350
    """
    d = space.schema.num_decisions
    return number if d <= MANY_DECISIONS else min(number, max(1, decisions // d))


def ranks(values: FloatArray) -> FloatArray:
    """Average rank of each value, from 0."""
    from scipy.stats import rankdata

    found: FloatArray = rankdata(values) - 1
    return found


def hits_of(objectives: Objectives, before: Sequence[Trial], after: Sequence[Trial]) -> BoolArray | None:
    """Which outcomes are better than nine tenths of what was there, ``(len(after),)``; None where nothing was.

    The tenth is taken over what did not fail: failed trials have no rank.
    """
    both = objectives.utilities([*before, *after])
    past, found = both[: len(before)], both[len(before) :]
    past = past[np.isfinite(past)]
    if not len(past) or not len(found):
        return None
    hits: BoolArray = found > np.quantile(past, _HIT)
    return hits
