"""What strategies share that propose in rounds: warm start, archive, queue, state, and a diffusion model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.runtime.threads import one_thread
from gennas.search.strategies._trials import pack_proposals, pack_trials, unpack_proposals, unpack_trials
from gennas.search.strategies.generative.sources import pack_weights, unpack_weights
from gennas.search.strategy import Strategy
from gennas.search.trial import Origin, Proposal, Trial

if TYPE_CHECKING:
    from gennas.generators.diffusion import DiffusionGenerator

__all__ = ["GeneratorRounds", "Rounds", "check_positive", "likelihood_ratio", "ranks"]

FloatArray = NDArray[np.float64]

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

    def __init__(self, *args: Any, warm_start: int, round_size: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        return self.warm_start - self._asked_warm if self._asked_warm < self.warm_start else self.round_size

    def ask(self, n: int) -> list[Proposal]:
        """The warm start's architectures, then this round's proposals."""
        missing = self.warm_start - self._asked_warm
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

    def _evaluated(self) -> tuple[Population, list[Trial]]:
        """What was evaluated without failure."""
        kept = [t for t in self._trials if t.ok]
        return Population.of(self.space.schema, [t.arch for t in kept]), kept

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))

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


class GeneratorRounds(Rounds):
    """A warm start of random architectures, then rounds of proposals made with a diffusion model.

    A subclass says what its generator is (:meth:`_untrained`) and what a round proposes
    (:meth:`_next_round`). The generator is pre-trained on ``unlabelled`` random architectures of the
    space when it is first needed, which costs no label.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        round_size: proposals per round.
        unlabelled: random architectures that the generator is pre-trained on.
        pretrain_steps: optimiser steps of this pre-training.

    Raises:
        ConfigError: a size is not positive.
    """

    def __init__(
        self,
        *args: Any,
        warm_start: int,
        round_size: int,
        unlabelled: int,
        pretrain_steps: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, warm_start=warm_start, round_size=round_size, **kwargs)
        check_positive(unlabelled=unlabelled)
        self.unlabelled, self.pretrain_steps = unlabelled, pretrain_steps
        self.generator: DiffusionGenerator | None = None
        self._record: dict[str, float] = {}

    @abstractmethod
    def _untrained(self) -> DiffusionGenerator:
        """A new generator with initial weights that depend on the seed alone."""

    @abstractmethod
    def _next_round(self, archs: Population, utility: FloatArray) -> list[Proposal]:
        """Proposals that were never seen, given what was evaluated ``(b,)``; fewer than asked for if need be."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, and note which share of a round is better than nine tenths of what was there before."""
        before = self.objectives.utilities(self._trials)
        super().tell(trials)
        good = [t for t in trials if t.ok]
        if self._round and good and np.isfinite(before).any():
            both = self.objectives.utilities([*self._trials[: len(before)], *good])
            bar = np.quantile(both[: len(before)][np.isfinite(before)], _HIT)
            self._record["hit_rate"] = float((both[len(before) :] > bar).mean())

    def records(self) -> dict[str, float]:
        """Figures of the last finished round: those of ``docs/generative.md`` that need no surrogate."""
        return dict(self._record) if "hit_rate" in self._record else {}

    # ------------------------------------------------------------------ parts of a round

    def _begin_round(self) -> list[Proposal]:
        archs, kept = self._evaluated()
        utility = self.objectives.utilities(kept)
        self._round, self._new = self._round + 1, 0
        with one_thread():
            proposals = self._next_round(archs, utility)
        self._record["round"] = self._round
        if not proposals:
            proposals = [Proposal(arch, Origin("random", (), self._round)) for arch in self._random_unseen(1)]
            self.seen.difference_update(p.arch.key for p in proposals)  # seen once it is asked for
        return proposals

    def _pretrained(self) -> DiffusionGenerator:
        """The generator, made and pre-trained on unlabelled architectures when it is first needed."""
        if self.generator is None:
            self.generator = self._untrained()
            unlabelled = self.space.sample(self.unlabelled, self.rng)
            self.generator.fit(unlabelled, steps=self.pretrain_steps, seed=self._seed())
        return self.generator

    def _fresh(self, drawn: Population) -> NDArray[np.intp]:
        """Where canonical ``drawn`` holds something for the first time that was never seen; notes the shares."""
        keys = np.array(drawn.keys)
        _, first = np.unique(keys, return_index=True)
        first = np.sort(first)
        fresh = first[[key not in self.seen for key in keys[first]]].astype(np.intp)
        self._record |= {
            "validity": float(self.space.is_valid(drawn).mean()) if len(drawn) else 1.0,
            "uniqueness": len(first) / max(1, len(drawn)),
            "novelty": len(fresh) / max(1, len(first)),
        }
        return fresh[self._keeps_cheap(drawn[fresh])]

    def _note_refit(self) -> None:
        self._record["refits"] = self._record.get("refits", 0) + 1

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """What every strategy in rounds keeps, the figures, the generator's weights."""
        state = super().state_dict() | {"record": dict(self._record)}
        if self.generator is not None:
            state["generator"] = pack_weights(self.generator)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        self._record = dict(state["record"])
        self.generator = None
        if "generator" in state:
            self.generator = self._untrained()
            unpack_weights(self.generator, state["generator"])


def check_positive(**sizes: float) -> None:
    """Raise ConfigError unless every size is positive."""
    wrong = {name: value for name, value in sizes.items() if value <= 0}
    if wrong:
        raise ConfigError(f"Expected positive values, got {', '.join(f'{k}={v}' for k, v in wrong.items())}.")


def ranks(values: FloatArray) -> FloatArray:
    """Average rank of each value, from 0."""
    from scipy.stats import rankdata

    found: FloatArray = rankdata(values) - 1
    return found


def likelihood_ratio(
    above: DiffusionGenerator,
    below: DiffusionGenerator,
    archs: Population,
    seed: int,
    conditions: FloatArray | None = None,
    repeats: int = 4,
    num_steps: int = 4,
) -> FloatArray:
    r"""Estimate of :math:`\log p_{above}(a \mid c) - \log p_{below}(a)` of each architecture, in nats, ``(b,)``.

    Both are evidence lower bounds of ``num_steps`` steps at the same noise, averaged over ``repeats`` draws.
    """
    import torch

    many, bounds = Population.concat([archs] * repeats), []
    for generator, c in ((above, conditions), (below, None)):
        pipeline = generator.pipeline
        source = torch.Generator(pipeline.denoiser.device).manual_seed(seed)
        bounds.append(pipeline.elbo(many, c, num_steps=num_steps, generator=source))
    ratio: FloatArray = (bounds[1] - bounds[0]).reshape(repeats, len(archs)).mean(0)
    return ratio
