"""Generative search: generators learn the good architectures and propose new ones.

The loop is DESIGN's: represent, learn, propose, evaluate, refit. What it absorbs: discrete graph
diffusion (Vignac et al. 2023, DiGress, arXiv 2209.14734) with classifier-free guidance (Ho and
Salimans 2022, arXiv 2207.12598) on quantiles of objectives and constraints, rank-weighted retraining
(Tripp et al. 2020, arXiv 2006.09191; Lukasik et al. 2022, AG-Net, arXiv 2203.08734), and expected
improvement of surrogates as filter (Jones et al. 1998), see :mod:`gennas.search.strategies.bayesian.beliefs`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.runtime.threads import one_thread
from gennas.search.strategies.bayesian.acquisition import ACQUISITIONS, Acquisition
from gennas.search.strategies.bayesian.beliefs import Beliefs, Outcomes
from gennas.search.strategies.bayesian.figures import RoundFigures, SourceCredit
from gennas.search.strategies.generative.sources import GENERATORS, GeneratorSource, make_generator
from gennas.search.strategies.rounds import Rounds, check_positive, ranks
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal, Trial

if TYPE_CHECKING:
    from gennas.models.base import Generator
    from gennas.models.surrogate import Surrogate

__all__ = ["GenerativeSearch"]

FloatArray = NDArray[np.float64]
SurrogateName = Literal["gp", "forest", "stack", "none"]

DEFAULT_SHARES = {"diffusion": 0.35, "mutation": 0.15, "random": 0.5}


@STRATEGIES.register("generative")
class GenerativeSearch(Rounds):
    """Samples candidates from generators fitted to the archive, filters them, evaluates the best.

    A round: (1) fit a surrogate of every objective and constraint to the archive; (2) once
    ``refit_every`` labels are new, refit the generators, better architectures more often, from the
    weights they have, and draw from them under high quantiles of the objectives and what the
    constraints ask for; (3) join their samples, mutations of the best and random architectures to a
    pool; (4) drop what is known; (5) rank by the acquisition function; (6) propose ``round_size``, one
    after the other, each as if the ones before had come out as predicted. Before the first round
    ``warm_start`` random architectures are evaluated, and generators see ``unlabelled`` random
    architectures of the space, which costs no label. Every evaluation counts towards the budget.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        design: ``random``, or ``spread`` for a warm start of architectures far from one another.
        round_size: proposals per round.
        pool_size: candidates that are ranked in each round.
        shares: parts of the pool by source: generators by their name in ``GENERATORS`` (``diffusion``,
            ``autoregressive``, ``latent``), ``mutation`` (of the best) and ``random`` (the space). A source
            that is not named is off; a generator that is off is never trained.
        elites: how many of the best are mutated (a third of the mutants is mutated twice).
        quantile: quality asked of the generators, in [0, 1].
        conditions: False trains generators on the weighted archive without conditions.
        unlabelled: random architectures that generators are pre-trained on.
        pretrain_steps: optimiser steps of this pre-training; 0 does without.
        refit_steps: optimiser steps of each refit; 0 leaves generators as they are.
        refit_every: new labels between two refits; samples serve until the next.
        surrogate: ``gp`` (the mixture of two Gaussian processes, one on decisions, one on labelled
            neighbourhoods, both with graph statistics), ``forest``, ``stack`` (all three), or ``none`` (the
            order of the pool decides, which is then shuffled).
        acquisition: ``ei``, ``ucb`` or ``thompson``.
        bandit: shift the shares towards sources whose candidates turned out well.
        guidance_scale: strength of the conditions.
        pretrained: a trained generator (a directory of ``gennas train-generator``, or a run) whose weights
            the source of its kind begins with, instead of pre-training. What they learned from labels lies
            outside of this search's budget.

    Raises:
        ConfigError: a size is not positive, the shares do not sum to 1, or a name is not known.
    """

    def __init__(
        self,
        *args: Any,
        warm_start: int = 8,
        design: Literal["random", "spread"] = "random",
        round_size: int = 2,
        pool_size: int = 1000,
        shares: Mapping[str, float] | None = None,
        elites: int = 10,
        quantile: float = 0.9,
        conditions: bool = True,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
        refit_steps: int = 20,
        refit_every: int = 8,
        surrogate: SurrogateName = "gp",
        acquisition: Acquisition = "ei",
        bandit: bool = False,
        guidance_scale: float = 1.0,
        pretrained: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, warm_start=warm_start, round_size=round_size, **kwargs)
        check_positive(pool_size=pool_size, elites=elites, unlabelled=unlabelled, refit_every=refit_every)
        self.shares = {name: float(share) for name, share in (shares or DEFAULT_SHARES).items()}
        _check(self.shares, surrogate, acquisition, design)
        self.design, self.pool_size = design, pool_size
        self.elites, self.quantile, self.conditions = elites, quantile, conditions
        self.unlabelled, self.refit_every = unlabelled, refit_every
        self.surrogate_kind, self.acquisition, self.pretrained = surrogate, acquisition, pretrained
        self.sources = {
            name: GeneratorSource(
                name,
                self.space,
                partial(make_generator, name, self.space, self.objectives, self.seed, guidance_scale, pretrained),
                0 if pretrained else pretrain_steps,
                refit_steps,
            )
            for name, share in self.shares.items()
            if name in GENERATORS and share > 0
        }
        self._drawn_at = -refit_every  # labels when generators were drawn from last
        self._credit = SourceCredit(self.shares, adaptive=bandit)
        self._figures = RoundFigures()

    @property
    def generator(self) -> Generator | None:
        """The first generator that is on, once it was made."""
        return next((source.generator for source in self.sources.values()), None)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, note how well they were predicted, and credit their sources."""
        before = self.objectives.utilities(self._trials)
        super().tell(trials)
        known = [t for t in trials if t.ok and t.arch.key in self._figures.expected]
        if known and np.isfinite(before).any():
            utility = self.objectives.utilities([*self._trials[: len(before)], *known])
            hits = utility[len(before) :] > np.quantile(utility[: len(before)], 0.9)
            goal = self.objectives.primary
            values = [[goal.signed(t.metrics[goal.metric]) for t in part if t.ok] for part in (self._trials, known)]
            past = np.array(values[0][: -len(known)])
            self._figures.note([t.arch.key for t in known], past, np.array(values[1]), hits)
            self._credit.note([t.proposal.origin.source for t in known], hits)

    # ------------------------------------------------------------------ the algorithm

    def _begin_round(self) -> list[Proposal]:
        with one_thread():
            return self._one_round()

    def _one_round(self) -> list[Proposal]:
        clock = [time.perf_counter()]
        archs, outcomes = self._archive()
        beliefs = self._fit_surrogates(archs, outcomes)  # 1. what is good?
        clock.append(time.perf_counter())
        self._refresh_samples(archs, outcomes)  # 2. what do good ones look like?
        clock.append(time.perf_counter())
        pool, sources = self._draw_pool(archs, outcomes)  # 3. candidates
        pool, sources = self._drop_known(pool, sources)  # 4. new ones
        order = self._rank(beliefs, pool)  # 5. rank
        self._round, self._new = self._round + 1, 0
        clock.append(time.perf_counter())
        seconds = dict(zip(("fit_s", "sample_s", "rank_s"), np.diff(clock).tolist(), strict=True))
        self._figures.record |= {"round": self._round, **seconds}
        return [Proposal(pool[int(i)], Origin(sources[int(i)], (), self._round)) for i in order]  # 6. propose

    def _starts(self, n: int) -> list[Architecture]:
        """Architectures to begin with, not seen before."""
        if self.design == "random" or self._asked_warm:
            return self._random_unseen(n)
        candidates = Population.of(self.space.schema, self._random_unseen(50 * n))
        self.seen.difference_update(candidates.keys)
        chosen = [candidates[int(i)] for i in _far_apart(candidates, n)]
        self.seen.update(arch.key for arch in chosen)
        return chosen

    def _archive(self) -> tuple[Population, Outcomes]:
        archs, kept = self._evaluated()
        return archs, Outcomes(self.objectives, kept)

    def _fit_surrogates(self, archs: Population, outcomes: Outcomes) -> Beliefs | None:
        return None if self.surrogate_kind == "none" else Beliefs(self._surrogate, archs, outcomes, self.screen)

    def _surrogate(self) -> Surrogate:
        from gennas.models.surrogate import SUBTREE_GROUPS, ForestSurrogate, GPSurrogate, StackSurrogate

        match self.surrogate_kind:
            case "forest":
                return ForestSurrogate(seed=self._seed())
            case "stack":
                return StackSurrogate([GPSurrogate(), GPSurrogate(SUBTREE_GROUPS), ForestSurrogate(seed=self._seed())])
            case _:
                return StackSurrogate([GPSurrogate(), GPSurrogate(SUBTREE_GROUPS)])

    def _refresh_samples(self, archs: Population, outcomes: Outcomes) -> None:
        """Refit the generators and draw anew, once enough labels are new."""
        if not self.sources or len(archs) - self._drawn_at < self.refit_every:
            return
        ranked = ranks(outcomes.utility)
        weights = np.asarray(1.0 / (0.05 * len(archs) + ranked.max() - ranked), dtype=np.float64)
        quantiles = outcomes.quantiles() if self.conditions else None
        for name, source in self.sources.items():
            source.prepare(lambda: self.space.sample(self.unlabelled, self.rng), self.rng)
            source.refit(archs, quantiles, weights, self.rng)
            count = round(self._credit.shares()[name] * self.pool_size)
            asked = outcomes.wanted(count, self.quantile, self.rng) if self.conditions else None
            self._note_samples(source.draw(count, asked, self.rng), refits=name == next(iter(self.sources)))
        self._note_elbo_gap(archs[np.argsort(-outcomes.utility, kind="stable")[: self.elites]])
        self._drawn_at = len(archs)

    def _draw_pool(self, archs: Population, outcomes: Outcomes) -> tuple[Population, list[str]]:
        count = {source: round(share * self.pool_size) for source, share in self._credit.shares().items()}
        parts = {name: source.drawn for name, source in self.sources.items()}
        if count.get("mutation"):
            best = np.argsort(-outcomes.utility, kind="stable")[: self.elites]
            mutants = self.space.mutate(archs[self.rng.choice(best, size=count["mutation"])], self.rng)
            once = len(mutants) - len(mutants) // 3
            parts["mutation"] = Population.concat([mutants[:once], self.space.mutate(mutants[once:], self.rng)])
        if count.get("random"):
            parts["random"] = self.space.sample(count["random"], self.rng)
        self._credit.offer({name: len(part) for name, part in parts.items()})
        return Population.concat(list(parts.values())), [name for name, part in parts.items() for _ in range(len(part))]

    def _drop_known(self, pool: Population, sources: list[str]) -> tuple[Population, list[str]]:
        _, first = np.unique(np.array(pool.keys), return_index=True)
        fresh = [int(i) for i in np.sort(first) if pool.keys[i] not in self.seen]
        if fresh and self.screen is not None:
            fresh = [fresh[i] for i in self.screen.keep(pool[np.array(fresh)], self.objectives)]
            self._figures.record["screened"] = self.screen.count
        if not fresh:
            rest = self._random_unseen(self.round_size)
            self.seen.difference_update(a.key for a in rest)
            return Population.of(self.space.schema, rest), ["random"] * len(rest)
        return pool[np.array(fresh)], [sources[i] for i in fresh]

    def _rank(self, beliefs: Beliefs | None, pool: Population) -> NDArray[np.intp]:
        """Candidates to propose, in order, with what is expected of them kept for the figures."""
        if beliefs is None or not len(pool):
            self._figures.expect({})
            return self.rng.permutation(len(pool))[: self.round_size]
        order, mean, std = beliefs.choose(pool, self.round_size, self.acquisition, self.rng)
        spread = np.sqrt(std**2 + beliefs.noise)
        self._figures.expect({pool.keys[i]: (float(mean[i]), float(spread[i])) for i in order})
        return order

    # ------------------------------------------------------------------ figures, state

    def _note_samples(self, drawn: Population, refits: bool) -> None:
        """Validity, uniqueness among valid, novelty among unique ones of what the first generator drew."""
        if not refits:
            return
        valid = drawn[self.space.is_valid(drawn)] if len(drawn) else drawn
        keys = set(self.space.canonical(valid).keys) if len(valid) else set()
        self._figures.record |= {
            "refits": self._figures.record.get("refits", 0) + 1,
            "validity": len(valid) / max(1, len(drawn)),
            "uniqueness": len(keys) / max(1, len(valid)),
            "novelty": len(keys - self.seen) / max(1, len(keys)),
        }

    def _note_elbo_gap(self, best: Population) -> None:
        """How much likelier the first generator finds the best than random ones (of a stream of their own)."""
        random = self.space.sample(len(best), np.random.default_rng(len(self._trials)))
        gap = next(iter(self.sources.values())).elbo_gap(best, random)
        if gap is not None:
            self._figures.record["elbo_gap"] = gap

    def records(self) -> dict[str, float]:
        """Figures of the last finished round, see ``docs/generative.md``."""
        return dict(self._figures.record) if "hit_rate" in self._figures.record else {}

    def state_dict(self) -> dict[str, Any]:
        """What every strategy in rounds keeps, the generators' weights and samples, credit and figures."""
        return super().state_dict() | {
            "drawn_at": self._drawn_at,
            "sources": {name: source.state_dict() for name, source in self.sources.items()},
            "credit": self._credit.state_dict(),
            "figures": self._figures.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        self._drawn_at = state["drawn_at"]
        for name, source in self.sources.items():
            source.load_state_dict(state["sources"][name])
        self._credit.load_state_dict(state["credit"])
        self._figures.load_state_dict(state["figures"])


def _check(shares: Mapping[str, float], surrogate: str, acquisition: str, design: str) -> None:
    known = (*GENERATORS, "mutation", "random")
    if not set(shares) <= set(known) or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"Expected shares of {', '.join(known)} that sum to 1, got {dict(shares)}.")
    if surrogate not in ("gp", "forest", "stack", "none"):
        raise ConfigError(f"Expected surrogate gp, forest, stack or none, got {surrogate!r}.")
    if acquisition not in ACQUISITIONS:
        raise ConfigError(f"Expected acquisition {', '.join(ACQUISITIONS)}, got {acquisition!r}.")
    if design not in ("random", "spread"):
        raise ConfigError(f"Expected design random or spread, got {design!r}.")


def _far_apart(candidates: Population, n: int) -> list[int]:
    """The first candidate, then always the one farthest from those chosen, in edits (Gonzalez 1985)."""
    D, chosen = candidates.decisions, [0]
    distance = (D != D[0]).sum(1)
    while len(chosen) < min(n, len(D)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, (D != D[chosen[-1]]).sum(1))
    return chosen
