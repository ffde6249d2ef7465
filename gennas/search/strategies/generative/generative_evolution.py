"""Evolution whose variation is a diffusion model: parents are partly noised and denoised again.

What it joins: evolution by tournaments, with the oldest or the worst removed (Real et al. 2019,
arXiv 1802.01548); mutation by noising half-way and denoising, as in SDEdit (Meng et al. 2022, arXiv
2108.01073) and, for sequences, LaMBO-2 (Gruver et al. 2023, arXiv 2305.20009); and rank-weighted
refitting (Tripp et al. 2020, arXiv 2006.09191).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Population
from gennas.search.objectives import Objectives
from gennas.search.strategies.generative.generator_rounds import FloatArray, GeneratorRounds, likelihood_ratio
from gennas.search.strategies.rounds import check_positive, ranks
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.generators.diffusion import DiffusionGenerator

__all__ = ["GenerativeEvolution"]


@STRATEGIES.register("generative-evolution")
class GenerativeEvolution(GeneratorRounds):
    r"""Children are parents noised half-way and denoised by a model of the good ones.

    A round: (1) every ``refit_every`` labels train the diffusion model further on the archive, better
    architectures more often, each under the quantile of its objective; (2) draw parents by tournaments
    in the population; (3) mutate them (``pipeline.renoise``) or cross them (``pipeline.recombine``)
    with strengths drawn from ``strength``, under the quantile ``quantile``; (4) drop what is known;
    (5) propose ``round_size`` children, those first which the model itself holds to be good:

    .. math:: \log p_\theta(a \mid c = quantile) - \log p_\theta(a)

    which by Bayes' rule is the log-odds that ``a`` has that quality, up to a constant. Both terms are
    evidence lower bounds at the same noise. Before the first round ``warm_start`` random architectures
    are evaluated, and the model sees ``unlabelled`` random ones, which costs no label.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        population_size: members that parents are drawn from.
        sample_size: members drawn for each tournament.
        survival: who is a member: the best (``elitist``), or the youngest (``ageing``).
        children: children made in each round.
        crossover: share of children with two parents.
        strength: least and most noise, in (0, 1].
        ranker: ``odds`` as above, or ``none``: children in the order in which they were made.
        quantile: quality asked of the model, in [0, 1].
        guidance_scale: strength of this condition.
        refit_steps: optimiser steps of each refit.
        refit_every: new labels between two refits.
        warm_start: see above.
        round_size: proposals per round.
        unlabelled: see above.
        pretrain_steps: optimiser steps on these.

    Raises:
        ConfigError: a size is not positive, a share or strength is outside its interval, or an unknown name.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        population_size: int = 20,
        sample_size: int = 5,
        survival: Literal["elitist", "ageing"] = "elitist",
        children: int = 64,
        crossover: float = 0.5,
        strength: tuple[float, float] = (0.25, 0.75),
        ranker: Literal["odds", "none"] = "odds",
        quantile: float = 0.99,
        guidance_scale: float = 1.0,
        refit_steps: int = 20,
        refit_every: int = 8,
        warm_start: int = 16,
        round_size: int = 4,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
    ) -> None:
        super().__init__(
            space,
            objectives,
            seed,
            warm_start=warm_start,
            round_size=round_size,
            unlabelled=unlabelled,
            pretrain_steps=pretrain_steps,
        )
        check_positive(population_size=population_size, sample_size=sample_size, children=children)
        check_positive(refit_every=refit_every, refit_steps=refit_steps)
        if survival not in ("elitist", "ageing") or ranker not in ("odds", "none"):
            raise ConfigError(
                f"Expected survival elitist or ageing and ranker odds or none, got {shown(survival)} "
                f"and {shown(ranker)}."
            )
        low, high = strength
        if not (0 < low <= high <= 1 and 0 <= crossover <= 1):
            raise ConfigError(
                f"Expected 0 < least <= most strength <= 1 and crossover in [0, 1], got {strength}, {crossover}."
            )
        self.population_size, self.sample_size, self.survival = population_size, sample_size, survival
        self.children, self.crossover, self.strength, self.ranker = children, crossover, (low, high), ranker
        self.quantile, self.guidance_scale = quantile, guidance_scale
        self.refit_steps, self.refit_every = refit_steps, refit_every
        self._fitted_at = -refit_every  # labels at the last refit

    # ------------------------------------------------------------------ the algorithm

    def _next_round(self, archs: Population, utility: FloatArray) -> list[Proposal]:
        generator = self._refitted(archs, utility)  # 1. what do good ones look like?
        first, second = self._parents(utility)  # 2. tournaments
        drawn = self._vary(generator, archs[first], archs[second])  # 3. renoise and recombine
        fresh = self._fresh(drawn)  # 4. new ones
        order = fresh[self._rank(generator, drawn[fresh])][: self.round_size]  # 5. the most promising first
        keys = archs.keys
        return [self._child(drawn, int(i), keys[first[i]], keys[second[i]]) for i in order]

    def _refitted(self, archs: Population, utility: FloatArray) -> DiffusionGenerator:
        generator = self._pretrained()
        if len(archs) - self._fitted_at >= self.refit_every:
            ranked = ranks(utility)
            weights = np.asarray(1.0 / (0.05 * len(archs) + ranked.max() - ranked), dtype=np.float64)
            quality = (ranked + 0.5) / len(archs)
            generator.fit(archs, quality[:, None], weights, self.refit_steps, self._seed())
            self._fitted_at = len(archs)
            self._note_refit()
        return generator

    def _parents(self, utility: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Indices of two parents of each child; the same one twice where there is only one."""
        age = np.arange(len(utility)) if self.survival == "ageing" else utility
        members = np.argsort(-age, kind="stable")[: self.population_size]
        drawn = self.rng.choice(members, size=(2, self.children, self.sample_size))
        first, second = np.take_along_axis(drawn, utility[drawn].argmax(-1)[..., None], -1)[..., 0]
        crossed = self.rng.random(self.children) < self.crossover
        return first, np.where(crossed, second, first)

    def _vary(self, generator: DiffusionGenerator, first: Population, second: Population) -> Population:
        import torch

        source = torch.Generator(generator.pipeline.denoiser.device).manual_seed(self._seed())
        crossed = np.array(first.keys) != np.array(second.keys)
        strength = self.rng.uniform(*self.strength, size=self.children)
        settings: dict[str, Any] = {
            "conditions": np.array([self.quantile]),
            "guidance_scale": self.guidance_scale,
            "generator": source,
            "legal": self.space.legal,
        }
        pipeline, D = generator.pipeline, first.decisions.copy()
        D[~crossed] = pipeline.renoise(first[~crossed], strength[~crossed], **settings).decisions
        both = first[crossed], second[crossed], strength[crossed]
        D[crossed] = pipeline.recombine(*both, **settings).decisions
        return self.space.canonical(Population.from_decisions(self.space.schema, D))

    def _rank(self, generator: DiffusionGenerator, children: Population) -> NDArray[np.intp]:
        if self.ranker == "none" or not len(children):
            return np.arange(len(children))
        odds = likelihood_ratio(generator, generator, children, self._seed(), np.array([self.quantile]))
        return np.argsort(-odds, kind="stable")

    def _child(self, drawn: Population, i: int, first: str, second: str) -> Proposal:
        source, parents = ("renoise", (first,)) if first == second else ("recombine", (first, second))
        return Proposal(drawn[i], Origin(source, parents, self._round))

    # ------------------------------------------------------------------ state

    def _untrained(self) -> DiffusionGenerator:
        from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings

        settings = DiffusionSettings(guidance_scale=self.guidance_scale)
        return DiffusionGenerator(self.space.schema, self.space.legal, 1, settings, self.seed)

    def state_dict(self) -> dict[str, Any]:
        """Everything told, the generator's weights, remaining proposals, the random state."""
        return {**super().state_dict(), "fitted_at": self._fitted_at}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        self._fitted_at = state["fitted_at"]
