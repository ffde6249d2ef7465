"""Rounds of proposals that are made with one diffusion model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.generators.weights import pack_weights, unpack_weights
from gennas.graph import Population
from gennas.runtime.threads import one_thread
from gennas.search.objectives import Objectives
from gennas.search.strategies.rounds import MANY_DECISIONS, Rounds, check_positive, hits_of
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.generators.diffusion import DiffusionGenerator

__all__ = ["GeneratorRounds", "likelihood_ratio"]

FloatArray = NDArray[np.float64]


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
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        warm_start: int = 16,
        round_size: int = 4,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
    ) -> None:
        super().__init__(space, objectives, seed, warm_start=warm_start, round_size=round_size)
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
        before = list(self._trials)
        super().tell(trials)
        hits = hits_of(self.objectives, before, [t for t in trials if t.ok]) if self._round else None
        if hits is not None:
            self._record["hit_rate"] = float(hits.mean())

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
            proposals = [Proposal(arch, Origin("random", (), self._round)) for arch in self._random_round(1)]
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

    Both are evidence lower bounds of ``num_steps`` steps at the same noise, averaged over ``repeats`` draws (one
    in spaces of more than 256 decisions).
    """
    import torch

    if archs.schema.num_decisions > MANY_DECISIONS:  # each draw averages over so many that one will do
        repeats = 1
    many, bounds = Population.concat([archs] * repeats), []
    for generator, c in ((above, conditions), (below, None)):
        pipeline = generator.pipeline
        source = torch.Generator(pipeline.denoiser.device).manual_seed(seed)
        bounds.append(pipeline.elbo(many, c, num_steps=num_steps, generator=source))
    ratio: FloatArray = (bounds[1] - bounds[0]).reshape(repeats, len(archs)).mean(0)
    return ratio
