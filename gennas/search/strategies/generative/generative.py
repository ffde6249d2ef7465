"""Generative search: generators learn the good architectures and propose new ones.

The loop is DESIGN's: represent, learn, propose, evaluate, refit. What it absorbs: discrete graph
diffusion (Vignac et al. 2023, DiGress, arXiv 2209.14734) with classifier-free guidance (Ho and
Salimans 2022, arXiv 2207.12598) on quantiles of objectives and constraints, rank-weighted retraining
(Tripp et al. 2020, arXiv 2006.09191; Lukasik et al. 2022, AG-Net, arXiv 2203.08734), and expected
improvement of surrogates as filter, see :mod:`gennas.search.strategies.bayesian.bayesian`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import UnknownNameError
from gennas.generators.registry import GENERATORS, is_generator
from gennas.graph import Population
from gennas.registry import import_object
from gennas.search.objectives import Objectives
from gennas.search.strategies.bayesian.acquisition import Acquisition
from gennas.search.strategies.bayesian.bayesian import BayesianSearch, Design, SurrogateName
from gennas.search.strategies.generative.defaults import default_pool, with_language
from gennas.search.strategies.generative.generator_kernels import GeneratorKernel
from gennas.search.strategies.generative.generator_source import GeneratorSource, make_generator
from gennas.search.strategies.generative.schedule import refit_interval
from gennas.search.strategies.kernels import KERNELS, Kernel
from gennas.search.strategies.llm.language_source import LanguageSource
from gennas.search.strategies.llm.proposer import LanguageProposer
from gennas.search.strategies.rounds import bounded, check_positive, ranks
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.models.base import Generator
    from gennas.search.kept_records import KeptRecords

__all__ = ["GenerativeSearch"]

_DRAWN = 131_072  # decisions that a generator draws at a time in large spaces


@STRATEGIES.register("generative")
class GenerativeSearch(BayesianSearch):
    """Samples candidates from generators fitted to the archive, filters them, evaluates the best.

    A round: (1) fit a surrogate of every objective and constraint to the archive; (2) once
    ``refit_every`` labels are new, refit the generators, better architectures more often, from the
    weights they have, and draw from them under high quantiles of the objectives and what the
    constraints ask for; (3) join their samples, children of the best that are evolved on the
    acquisition function, some of them made by a generator, and random architectures to a pool; (4) drop
    what is known; (5) rank by the acquisition function; (6) propose ``round_size``, one after the other,
    each as if the ones before had come out as predicted. Before the first round ``warm_start`` random
    architectures are evaluated, and generators see ``unlabelled`` random architectures of the space,
    which costs no label. Every evaluation counts towards the budget.

    Cost: that of ``bayesian``, and of a refit and new samples, which does not depend on the labels; beyond 400 labels
    refits are spaced with these. With the diffusion model as a source, in rounds of 50 on 49 decisions, a proposal
    takes 80 CPU milliseconds at 100 labels (with pre-training), 19 at 1,000 and 4 at 10,000 (``docs/surrogates.md``).

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        design: ``random``, or ``spread`` for a warm start of architectures far from one another.
        round_size: proposals per round.
        pool_size: candidates that are ranked in each round. In spaces of more than 256 decisions a generator draws
            131,072 of these at most, 116 architectures of 1,128 decisions.
        shares: parts of the pool by source: generators (``diffusion``, ``autoregressive``, ``latent``, or your own as
            ``file.py:Class``), ``evolve`` (children of the best, evolved on the acquisition function), ``mutation`` and
            ``crossover`` (of the best), ``random`` (the space), or a source of your own. What is not named is off, and
            never trained; ``llm``, a language model (``model``), whose every candidate costs a request. By default, in
            spaces of more than a million architectures evolve .9 and random .1, in
            smaller ones diffusion .35, evolve .15, random .5
            (:func:`gennas.search.strategies.generative.defaults.default_pool`).
        kernels: what makes the children of ``evolve``: ``mutation`` (one to three edits), ``crossover``, ``renoise``
            (parts of a parent redrawn by the diffusion model), ``complete`` (by the autoregressive model), or your own
            as ``file.py:Class``, with their shares at the start. By default mutation and crossover, half and half;
            in large spaces, where shares are left open, too, .4, .4 and renoise .2. Shares then follow what each
            kernel yields for what it costs.
        elites: how many of the best are mutated or crossed (a third of the mutants is mutated twice).
        quantile: quality asked of the generators, in [0, 1].
        conditions: False trains generators on the weighted archive without conditions.
        unlabelled: random architectures that generators are pre-trained on.
        pretrain_steps: optimiser steps of this pre-training; 0 does without.
        refit_steps: optimiser steps of each refit; 0 leaves generators as they are.
        refit_every: new labels between two refits; samples serve until the next. Above 400 labels there are more
            between them (:func:`~gennas.search.strategies.generative.schedule.refit_interval`).
        surrogate: ``gp`` (the mixture of two Gaussian processes, one on decisions, one on labelled
            neighbourhoods, both with graph statistics), ``forest``, ``stack`` (all three), or ``none`` (the
            order of the pool decides, which is then shuffled).
        acquisition: ``ei``, ``ucb`` or ``thompson``.
        bandit: shift the shares towards sources whose candidates turned out well; left open, where there is a
            language model.
        guidance_scale: strength of the conditions.
        pretrained: a trained generator (a directory of ``gennas train-generator``, or a run) whose weights
            the source of its kind begins with, instead of pre-training. What they learned from labels lies
            outside of this search's budget.
        model: the language model of the source ``llm``, which then has a share of .2 unless shares are given; as of the
            strategy ``llm``.
        method: how it is asked: a name, or ``file.py:Class``.
        method_option: arguments of the method.
        candidates: its suggestions in a round, if it had the whole pool; at its share it makes as many of these.

    Raises:
        ConfigError: a size is not positive, the shares do not sum to 1, or a name is not known.
    """

    former_shares: Mapping[str, float] = {"diffusion": 0.35, "mutation": 0.15, "random": 0.5}

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        warm_start: int = 8,
        design: Design = "random",
        round_size: int = 2,
        pool_size: int = 1000,
        shares: Mapping[str, float] | None = None,
        kernels: Mapping[str, float] | None = None,
        elites: int = 10,
        quantile: float = 0.9,
        conditions: bool = True,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
        refit_steps: int = 20,
        refit_every: int = 8,
        surrogate: SurrogateName = "gp",
        acquisition: Acquisition = "ei",
        bandit: bool | None = None,
        guidance_scale: float = 1.0,
        pretrained: str | None = None,
        model: Any = None,
        method: str = "history",
        method_option: Mapping[str, Any] | None = None,
        candidates: int = 20,
    ) -> None:
        check_positive(unlabelled=unlabelled, refit_every=refit_every, candidates=candidates)
        self.candidates = candidates
        self.language: LanguageProposer | None = None
        if model is not None:
            self.language = LanguageProposer(space, objectives, model, method, method_option)
        self.quantile, self.conditions, self.unlabelled = quantile, conditions, unlabelled
        self.pretrain_steps, self.refit_steps, self.refit_every = pretrain_steps, refit_steps, refit_every
        self.guidance_scale, self.pretrained = guidance_scale, pretrained
        self._drawn_at = -refit_every  # labels when generators were drawn from last
        super().__init__(
            space,
            objectives,
            seed,
            warm_start=warm_start,
            design=design,
            round_size=round_size,
            pool_size=pool_size,
            shares=shares,
            kernels=kernels,
            elites=elites,
            surrogate=surrogate,
            acquisition=acquisition,
            bandit=model is not None if bandit is None else bandit,
        )

    def _default_pool(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        shares, kernels = default_pool(self.space)
        return (shares if self.language is None else with_language(shares)), kernels

    def _set_pool(self, shares: Mapping[str, float], kernels: Mapping[str, float]) -> None:
        self._generators: dict[str, GeneratorSource] = {}
        super()._set_pool(shares, kernels)

    def _source(self, name: str) -> Source:
        if name == "llm":
            return LanguageSource(self.space, self.language, self.candidates, self.pool_size)
        if name in SOURCES:
            return super()._source(name)
        if name not in GENERATORS and ":" not in name:
            raise UnknownNameError("source", name, [*GENERATORS, *SOURCES])
        if name not in GENERATORS and not is_generator(import_object(name)):
            return super()._source(name)
        return self._generator_source(name)

    def _kernel(self, name: str) -> Kernel:
        kind = KERNELS.get(name)
        if not (isinstance(kind, type) and issubclass(kind, GeneratorKernel)):
            return super()._kernel(name)
        return kind(self.space, self._generator_source(kind.generator_name), self.quantile if self.conditions else None)

    def _generator_source(self, name: str) -> GeneratorSource:
        """The one generator of that name, whether it is a source, or makes children, or both."""
        if name not in self._generators:
            make, first_steps = partial(self._new_generator, name), 0 if self.pretrained else self.pretrain_steps
            self._generators[name] = GeneratorSource(name, self.space, make, first_steps, self.refit_steps)
        return self._generators[name]

    def _new_generator(self, name: str) -> Generator:
        return make_generator(name, self.space, self.objectives, self.seed, self.guidance_scale, self.pretrained)

    @property
    def generator_sources(self) -> dict[str, GeneratorSource]:
        """The generators that are on: those with a share first, then those that only make children of ``evolve``."""
        shared = {name: source for name, source in self.sources.items() if isinstance(source, GeneratorSource)}
        return shared | self._generators

    @property
    def generator(self) -> Generator | None:
        """The first generator that is on, once it was made."""
        return next((source.generator for source in self.generator_sources.values()), None)

    # ------------------------------------------------------------------ the algorithm

    def _update_sources(self, evidence: Evidence) -> None:
        """Refit the generators and draw anew, once enough labels are new."""
        archs, outcomes, sources = evidence.archs, evidence.outcomes, self.generator_sources
        former = self._memory.former  # of version 0.1
        interval = self.refit_every if former else refit_interval(self.refit_every, len(archs))
        if not sources or len(archs) - self._drawn_at < interval:
            return
        ranked = ranks(outcomes.utility)
        weights = np.asarray(1.0 / (0.05 * len(archs) + ranked.max() - ranked), dtype=np.float64)
        quantiles = outcomes.quantiles() if self.conditions else None
        for name, source in sources.items():
            source.prepare(lambda: self.space.sample(self.unlabelled, self.rng), self.rng)
            source.refit(archs, quantiles, weights, self.rng)
            if name not in self.sources:
                continue
            count = bounded(round(self._bandit.shares()[name] * self.pool_size), self.space, _DRAWN)
            asked = outcomes.wanted(count, self.quantile, self.rng) if self.conditions else None
            drawn = source.renew(count, asked, self.rng)
            if name == next(iter(sources)):
                self._note_samples(drawn)
        self._figures.record["refits"] = self._figures.record.get("refits", 0) + 1
        self._note_elbo_gap(archs[evidence.best])
        self._drawn_at = len(archs)

    # ------------------------------------------------------------------ the language model

    def keep_in(self, archive: KeptRecords) -> None:
        """Keep a language model's transcript in the archive's file."""
        if self.language is not None:
            self.language.keep_in(archive)

    def check(self) -> None:
        """Reach the language model, where there is one."""
        if self.language is not None:
            self.language.check()

    def tell(self, trials: Sequence[Trial]) -> None:
        """As ``bayesian``; a language model is told why trials failed."""
        super().tell(trials)
        if self.language is not None:
            self.language.note(trials)
            self._figures.record |= self.language.figures.record

    def spent(self) -> dict[str, float]:
        """What features and requests cost since this was asked last."""
        return super().spent() | ({} if self.language is None else self.language.spent())

    # ------------------------------------------------------------------ figures, state

    def _note_samples(self, drawn: Population) -> None:
        """Validity, uniqueness among valid, novelty among unique ones of what the first generator drew."""
        valid = drawn[self.space.is_valid(drawn)] if len(drawn) else drawn
        keys = set(self.space.canonical(valid).keys) if len(valid) else set()
        self._figures.record |= {
            "validity": len(valid) / max(1, len(drawn)),
            "uniqueness": len(keys) / max(1, len(valid)),
            "novelty": len(keys - self.seen) / max(1, len(keys)),
        }

    def _note_elbo_gap(self, best: Population) -> None:
        """How much likelier the first generator finds the best than random ones (of a stream of their own)."""
        random = self.space.sample(len(best), np.random.default_rng(len(self._trials)))
        gap = next(iter(self.generator_sources.values())).elbo_gap(best, random)
        if gap is not None:
            self._figures.record["elbo_gap"] = gap

    def state_dict(self) -> dict[str, Any]:
        """What every strategy over pools keeps, with the generators' weights and samples."""
        own = {name: source.state_dict() for name, source in self._generators.items() if name not in self.sources}
        return super().state_dict() | {"drawn_at": self._drawn_at, "generators": own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        self._drawn_at = state["drawn_at"]
        for name, own in state.get("generators", {}).items():
            self._generators[name].load_state_dict(own)
