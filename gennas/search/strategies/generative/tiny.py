"""A small language model of the archive as a proposer: it ranks mutations of the best, and writes some of its own.

The ranking by likelihood ratio rather than free sampling: a model of this size that samples freely repeats itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.search.objectives import Objectives
from gennas.search.strategies.evolution.variation import check_probability, edited
from gennas.search.strategies.generative.likelihood_ratio import LikelihoodRatio
from gennas.search.strategies.local.biggest_first import sizes
from gennas.search.strategies.rounds import Rounds, check_positive
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal
from gennas.spaces.base import Space

__all__ = ["Tiny", "TinySource"]

FloatArray = NDArray[np.float64]

_FURTHER = 0.2  # chance of each further edit of a mutant
_MOST_EDITS = 3
_SPARE = 4  # candidates of the source for each that it gives


@SOURCES.register("tiny")
class TinySource(Source):
    """Mutants of the elites and samples of a small language model, those of the greatest likelihood ratio.

    The model (:class:`~gennas.search.strategies.generative.likelihood_ratio.LikelihoodRatio`) is trained anew on
    everything that was evaluated, in every round.

    Args:
        space: where candidates belong.
        samples: part of the candidates that the model writes itself; the others are mutants.
        ranker: the model; by default one with default sizes.
    """

    def __init__(self, space: Space, samples: float = 0.1, ranker: LikelihoodRatio | None = None) -> None:
        super().__init__(space)
        if not 0 <= samples <= 1:
            raise ConfigError(f"Expected a part of samples in [0, 1], got {samples}.")
        self.samples, self.ranker = samples, ranker or LikelihoodRatio(space)

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """The ``n`` of four times as many candidates with the greatest ratio, the greatest first."""
        archs = self.candidates(_SPARE * n, evidence, rng)
        return archs[np.argsort(-self.ranker.score(archs), kind="stable")[:n]]

    def candidates(
        self,
        n: int,
        evidence: Evidence,
        rng: np.random.Generator,
        hint: tuple[Population, FloatArray] | None = None,
        hint_weight: float = 0.0,
    ) -> Population:
        """At most ``n`` different ones, after the model was trained; hints as in :meth:`LikelihoodRatio.fit`."""
        self.ranker.fit(evidence.archs, evidence.outcomes.utility, rng, hint, hint_weight)
        own = round(self.samples * n)
        parents = evidence.archs[rng.choice(evidence.best, size=n - own)]
        mutants = edited(self.space, parents, rng, _FURTHER, _MOST_EDITS)
        return Population.concat([mutants, self.ranker.sample(own, rng)]).unique()


@STRATEGIES.register("tiny")
class Tiny(Rounds):
    """Mutations of the best in the order of a small language model's likelihood ratio.

    A round: (1) train the model anew on everything that was evaluated; (2) line up the neighbours of the best, and a
    pool of mutants of the ``elites`` and of what the model writes; (3) drop what is known or breaks a cheap constraint,
    and order both lines by the likelihood ratio; (4) ``round_size`` times take the first of the one line (with
    probability ``near``) or of the other, but with probability ``explore`` any of it. A model that knows nothing so
    searches locally.

    Of the warm start, ``largest`` are the largest that a climb by the first cheap metric comes across (as a warm local
    search begins with the largest), where there is one; the others are random. There, the order of ``hint`` random
    architectures by size counts in the training as much as Kendall's tau of size and quality among what was evaluated,
    if it is positive: where larger is better the model begins with that, and where it is not, it does not.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: architectures evaluated before the first round.
        largest: how many of them are the largest.
        hint: random architectures whose order by size counts beside that of what was evaluated; 0: none.
        round_size: proposals per round.
        elites: how many of the best are mutated.
        pool_size: candidates that are ranked in each round.
        samples: part of the candidates that the model writes itself.
        near: probability that a proposal is a neighbour of the best, while there are new ones.
        explore: probability of any candidate in the place of the best-ranked one.
        models: language models whose ratios are averaged.
        steps: optimiser steps of each in each round.
        lr: their peak learning rate.
        dim: width of the models.
        num_layers: their blocks.

    Raises:
        ConfigError: a size is not positive, or a part or a probability is none.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        warm_start: int = 2,
        largest: int = 1,
        hint: int = 32,
        round_size: int = 2,
        elites: int = 3,
        pool_size: int = 200,
        samples: float = 0.2,
        near: float = 0.75,
        explore: float = 0.1,
        models: int = 1,
        steps: int = 30,
        lr: float = 3e-2,
        dim: int = 16,
        num_layers: int = 1,
    ) -> None:
        super().__init__(space, objectives, seed, warm_start=warm_start, round_size=round_size)
        check_positive(elites=elites, pool_size=pool_size)
        check_probability(near=near, explore=explore)
        if min(largest, hint) < 0:
            raise ConfigError(f"Expected largest and hint of 0 or more, got {largest} and {hint}.")
        self.largest, self.hint, self.elites, self.pool_size = largest, hint, elites, pool_size
        self.near, self.explore = near, explore
        ranker = LikelihoodRatio(space, models, steps, lr, dim, num_layers)
        self.source = TinySource(space, samples, ranker)

    def _starts(self, n: int) -> list[Architecture]:
        """The largest first, then random ones."""
        missing = min(self.largest - self._asked_warm, n) if self.screen is not None else 0
        first = self.largest_first(missing) if missing > 0 else []
        self.seen.update(arch.key for arch in first)
        return first + (self._random_unseen(n - len(first)) if n > len(first) else [])

    def largest_first(self, n: int) -> list[Architecture]:
        """The ``n`` largest that a climb by size from the largest of a thousand random ones comes across."""
        pool = self._screened(1000).unique()
        for _ in range(100):
            order = np.argsort(-sizes(pool, self.screen), kind="stable")
            near = self.space.neighbours(pool[int(order[0])])
            near = near[np.flatnonzero(self._keeps_cheap(near))]
            pool, before = Population.concat([pool[order[:n]], near]).unique(), pool[int(order[0])].key
            if pool[int(np.argmax(sizes(pool, self.screen)))].key == before:
                break
        new = pool[np.array([key not in self.seen for key in pool.keys], dtype=bool)]
        return list(new[np.argsort(-sizes(new, self.screen), kind="stable")[:n]])

    def _size_hint(self, archs: Population, utility: FloatArray) -> tuple[tuple[Population, FloatArray] | None, float]:
        """Random architectures with their sizes, and how much these count: as far as they order what was evaluated."""
        from scipy.stats import kendalltau

        if self.screen is None or not self.hint:
            return None, 0.0
        agreement = float(kendalltau(sizes(archs, self.screen), utility).statistic)
        if not agreement > 0:  # NaN where all are equal
            return None, 0.0
        others = self._screened(self.hint)
        return (others, sizes(others, self.screen)), agreement

    def _begin_round(self) -> list[Proposal]:
        from gennas.search.strategies.bayesian.beliefs import Outcomes

        self._round, self._new = self._round + 1, 0
        archs, trials = self._evaluated()
        evidence = Evidence(archs, Outcomes(self.objectives, trials), self.elites, seen=self.seen)
        hint, weight = self._size_hint(archs, evidence.outcomes.utility)
        pool = self.source.candidates(self.pool_size, evidence, self.rng, hint, weight)
        lines = [self._line(self.space.neighbours(archs[int(evidence.best[0])]), evidence), self._line(pool, evidence)]
        chosen: dict[str, Architecture] = {}
        for _ in range(self.round_size):
            line = lines[int(self.rng.random() >= self.near)]
            line = [arch for arch in line if arch.key not in chosen] or [a for a in lines[1] if a.key not in chosen]
            if line:
                place = int(self.rng.integers(len(line))) if self.rng.random() < self.explore else 0
                chosen[line[place].key] = line[place]
        proposals = [Proposal(arch, Origin("tiny")) for arch in chosen.values()]
        return proposals or [Proposal(arch, Origin("random")) for arch in self._random_round(self.round_size)]

    def _line(self, archs: Population, evidence: Evidence) -> list[Architecture]:
        """Those that are new and keep the cheap constraints, the greatest ratio first."""
        fresh = archs[np.flatnonzero(~evidence.known(archs))] if len(archs) else archs
        if len(fresh) > self.pool_size:
            fresh = fresh[self.rng.choice(len(fresh), self.pool_size, replace=False)]
        fresh = fresh[np.flatnonzero(self._keeps_cheap(fresh))] if len(fresh) else fresh
        return list(fresh[np.argsort(-self.source.ranker.score(fresh), kind="stable")]) if len(fresh) else []
