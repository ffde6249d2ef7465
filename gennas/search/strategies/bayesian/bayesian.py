"""Bayesian optimisation over pools: surrogates, an acquisition function, and sources of candidates.

Expected improvement as filter (Jones et al. 1998), see :mod:`gennas.search.strategies.bayesian.beliefs`; over random
pools it is the baseline that tells what other sources add.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Architecture, Population
from gennas.registry import configured
from gennas.runtime.threads import one_thread
from gennas.search.objectives import Objectives
from gennas.search.screen import Screen
from gennas.search.strategies.bayesian.acquisition import ACQUISITIONS, PER_PROPOSAL, Acquisition
from gennas.search.strategies.bayesian.bandit import ShareBandit
from gennas.search.strategies.bayesian.beliefs import Beliefs, Outcomes
from gennas.search.strategies.bayesian.figures import RoundFigures
from gennas.search.strategies.bayesian.insight import Insight
from gennas.search.strategies.bayesian.memory import SurrogateMemory
from gennas.search.strategies.bayesian.second_look import feature_groups, survivors
from gennas.search.strategies.bayesian.substitutes import Substitutes
from gennas.search.strategies.evolved import DEFAULT_KERNELS, EvolvedSource, are_shares, new_kernel
from gennas.search.strategies.kernels import Kernel
from gennas.search.strategies.rounds import Rounds, check_positive, hits_of
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.models.surrogate import Group, Surrogate

__all__ = ["BayesianSearch", "Design", "SurrogateName"]

SurrogateName = Literal["gp", "forest", "stack", "none"]
Design = Literal["random", "spread"]


@STRATEGIES.register("bayesian")
class BayesianSearch(Rounds):
    """Ranks pools of candidates by the expected improvement of Gaussian processes, evaluates the best.

    A round: (1) fit a surrogate of every objective and constraint to the archive; (2) bring the sources up to date;
    (3) join what they draw to a pool; (4) drop what is known; (5) rank by the acquisition function; (6) propose
    ``round_size``, one after the other, each as if the ones before had come out as predicted. Before the first round
    ``warm_start`` random architectures are evaluated. Every evaluation counts towards the budget.

    Cost: a round takes time with the cube of the labels up to 400 of these (one CPU second at most), and no longer
    grows beyond: 3 to 10 CPU milliseconds for each proposal in rounds of 50 on 49 decisions, whether 100 or 10,000
    labels are known (``docs/surrogates.md``).

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        design: ``random``, or ``spread`` for a warm start of architectures far from one another.
        round_size: proposals per round.
        pool_size: candidates that are ranked in each round.
        shares: parts of the pool by source: ``random`` (the space), ``mutation`` and ``crossover`` (of the best),
            ``evolve`` (children of the best, evolved on the acquisition function), or your own as ``file.py:Class``;
            by default random alone. A source that is not named is off.
        kernels: what makes the children of ``evolve``: ``mutation`` (one to three edits), ``crossover``, or your
            own as ``file.py:Class``, with their shares at the start; by default half and half. Shares then follow
            what each kernel yields for what it costs.
        elites: how many of the best are mutated or crossed (a third of the mutants is mutated twice).
        surrogate: ``gp`` (the mixture of two Gaussian processes, one on decisions, one on labelled
            neighbourhoods, both with graph statistics), ``forest``, ``stack`` (all three), or ``none`` (the
            order of the pool decides, which is then shuffled).
        acquisition: ``ei``, ``ucb`` or ``thompson``.
        bandit: shift the shares towards sources whose candidates turned out well.

    Raises:
        ConfigError: a size is not positive, the shares do not sum to 1, or a name is not known.

    Example:
        >>> from gennas.search import Objective, Objectives
        >>> from gennas.spaces import NASBench201
        >>> strategy = BayesianSearch(NASBench201(), Objectives((Objective("accuracy"),)), seed=1)
        >>> len(strategy.ask(8))
        8
    """

    former_shares: Mapping[str, float] = {"random": 1.0}
    """The default of version 0.1, whose runs did not keep what they used."""
    takes_features = True

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
        surrogate: SurrogateName = "gp",
        acquisition: Acquisition = "ei",
        bandit: bool = False,
    ) -> None:
        super().__init__(space, objectives, seed, warm_start=warm_start, round_size=round_size)
        check_positive(pool_size=pool_size, elites=elites)
        _check(surrogate, acquisition, design)
        self.design, self.pool_size, self.elites = design, pool_size, elites
        self.surrogate_kind, self.acquisition, self.adaptive = surrogate, acquisition, bandit
        _refuse_empty(shares=shares, kernels=kernels)
        self._open, self._per_proposal = shares is None, PER_PROPOSAL
        default, usual = self._default_pool() if shares is None else ({}, DEFAULT_KERNELS)
        self._set_pool(shares or default, kernels or usual)
        if kernels and not self.shares.get("evolve"):
            raise ConfigError(f"Expected a share of evolve, whose kernels {dict(kernels)} are given.")
        self._figures = RoundFigures()
        self._memory = SurrogateMemory()
        self._substitutes = Substitutes(space, self._keeps_cheap)
        self._instead: Mapping[str, Architecture] = {}  # of a round: what is evaluated in place of a candidate, by key
        self.keeps_insight = False  # whether somebody reads what is believed
        self.insight: Insight | None = None

    def _default_pool(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Shares and kernels where nobody says otherwise; the state keeps them, should the rule change."""
        return {"random": 1.0}, DEFAULT_KERNELS

    def _set_pool(self, shares: Mapping[str, float], kernels: Mapping[str, float]) -> None:
        """Make the sources that have a share."""
        self.shares, self.kernels = ({k: float(v) for k, v in part.items()} for part in (shares, kernels))
        if not are_shares(self.shares):
            raise ConfigError(f"Expected shares that are not negative and sum to 1, got {self.shares}.")
        self.sources = {name: self._source(name) for name, share in self.shares.items() if share > 0}
        self._bandit = ShareBandit(self.shares, adaptive=self.adaptive)

    def _source(self, name: str) -> Source:
        """The source called ``name``."""
        if name == "evolve":
            return EvolvedSource(self.space, self.kernels, make=self._kernel)
        return new_source(name, self.space)

    def _kernel(self, name: str) -> Kernel:
        """The kernel called ``name``."""
        return new_kernel(name, self.space)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, note how well they were predicted, and credit their sources."""
        before = list(self._trials)
        super().tell(trials)
        known = [t for t in trials if t.ok and t.arch.key in self._figures.expected]
        hits = hits_of(self.objectives, before, known)
        if hits is None:
            return
        goal = self.objectives.primary
        values = [[goal.signed(t.metrics[goal.metric]) for t in part if t.ok] for part in (self._trials, known)]
        past = np.array(values[0][: -len(known)])
        self._figures.note([t.arch.key for t in known], past, np.array(values[1]), hits)
        self._bandit.note([t.proposal.origin.source for t in known], hits)

    # ------------------------------------------------------------------ the algorithm

    def _begin_round(self) -> list[Proposal]:
        with one_thread():
            return self._one_round()

    def _one_round(self) -> list[Proposal]:
        clock = [time.perf_counter()]
        archs, outcomes = self._archive()
        beliefs = self._fit_surrogates(archs, outcomes)  # 1. what is good?
        clock.append(time.perf_counter())
        evidence = self._evidence(archs, outcomes, beliefs)
        self._update_sources(evidence)  # 2. what do good ones look like?
        clock.append(time.perf_counter())
        pool, sources = self._draw_pool(evidence)  # 3. candidates
        pool, sources = self._drop_known(pool, sources, evidence)  # 4. new ones
        beliefs, rows = self._second_look(beliefs, evidence, pool)
        self._keep_insight(beliefs, pool[rows])
        order = rows[self._rank(beliefs, pool[rows])]  # 5. rank
        self._round, self._new = self._round + 1, 0
        clock.append(time.perf_counter())
        seconds = dict(zip(("fit_s", "sample_s", "rank_s"), np.diff(clock).tolist(), strict=True))
        paid = {} if self.features is None else self.features.records()
        self._figures.record |= {"round": self._round, **seconds, **self._shares_record(), **paid}
        chosen = [(self._instead.get(pool.keys[i], pool[i]), sources[i]) for i in order.tolist()]
        return [Proposal(arch, self._origin(source, arch.key)) for arch, source in chosen]  # 6. propose

    def _shares_record(self) -> dict[str, float]:
        """Where candidates came from: every source's share of the pool, every kernel's of the children."""
        evolved = [source for source in self.sources.values() if isinstance(source, EvolvedSource)]
        told = bool(evolved) or "llm" in self.sources
        found = {f"share_{name}": share for name, share in self._bandit.shares().items()} if told else {}
        return found | {f"kernel_{k}": share for source in evolved for k, share in source.bandit.shares().items()}

    def _origin(self, source: str, key: str) -> Origin:
        """Where a proposal comes from, with the normal score and its deviation that were predicted of it."""
        found = self._figures.expected.get(key)
        details = {} if found is None else {"predicted": found[0], "predicted_sd": found[1]}
        return Origin(source, (), self._round, details)

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
        return None if self.surrogate_kind == "none" else self._beliefs(archs, outcomes)

    def _beliefs(self, archs: Population, outcomes: Outcomes, paid: bool = False) -> Beliefs:
        make = partial(self._surrogate, feature_groups(self.features, paid))
        return Beliefs(self._memory.recalling(make, "paid" if paid else ""), archs, outcomes, self.screen)

    def _second_look(
        self, beliefs: Beliefs | None, evidence: Evidence, pool: Population
    ) -> tuple[Beliefs | None, NDArray[np.intp]]:
        """What is worth its features, and beliefs that know them; everything where features cost nothing."""
        archs, features = evidence.archs, self.features
        if beliefs is None or features is None or features.paid is None:
            return beliefs, np.arange(len(pool))
        value = partial(beliefs.value, kind=self.acquisition, rng=self.rng)
        rows = survivors(features, archs, pool, value, self.round_size)
        return self._beliefs(archs, evidence.outcomes, paid=True), rows

    def _surrogate(self, extra: Sequence[Group] = ()) -> Surrogate:
        from gennas.models.surrogate import ForestSurrogate, StackSurrogate
        from gennas.models.surrogate.forest import DEFAULT_FEATURES

        columns = (*DEFAULT_FEATURES, *(group.features for group in extra))
        gps = self._memory.gps(self.space.schema, extra)
        match self.surrogate_kind:
            case "forest":
                return ForestSurrogate(columns, seed=self._seed())
            case "stack":
                return StackSurrogate([*gps, ForestSurrogate(columns, seed=self._seed())])
            case _:
                return StackSurrogate(gps)

    def _evidence(self, archs: Population, outcomes: Outcomes, beliefs: Beliefs | None) -> Evidence:
        value = None if beliefs is None else partial(beliefs.value, kind=self.acquisition, rng=self.rng)
        admits = partial(self._substitutes.admits, seen=self.seen)
        return Evidence(archs, outcomes, self.elites, value, admits, self.seen, self._trials, self.features)

    def _update_sources(self, evidence: Evidence) -> None:
        """What sources need before they draw; those of the space and the best need nothing."""

    def _draw_pool(self, evidence: Evidence) -> tuple[Population, list[str]]:
        shares = self._bandit.shares()
        count = {name: round(share * self.pool_size) for name, share in shares.items()}
        if not any(count.values()):  # a pool of one or two candidates
            count[max(shares, key=lambda name: shares[name])] = self.pool_size
        parts = {
            name: source.draw(count[name], evidence, self.rng)
            for name, source in sorted(self.sources.items(), key=_place)
            if count[name]
        }
        self._bandit.offer({name: count[name] for name in parts})  # places, whether filled or not
        return Population.concat(list(parts.values())), [name for name, part in parts.items() for _ in range(len(part))]

    def _drop_known(self, pool: Population, sources: list[str], evidence: Evidence) -> tuple[Population, list[str]]:
        _, first = np.unique(np.array(pool.keys), return_index=True)
        fresh = [int(i) for i in np.sort(first) if pool.keys[i] not in self.seen]
        if fresh and self.screen is not None:
            fresh = [fresh[i] for i in self._screened_rows(pool[np.array(fresh)], evidence, self.screen)]
            self._figures.record["screened"] = self.screen.count
        if not fresh:
            rest = self._random_unseen(self.round_size)
            self.seen.difference_update(a.key for a in rest)
            return Population.of(self.space.schema, rest), ["random"] * len(rest)
        return pool[np.array(fresh)], [sources[i] for i in fresh]

    def _screened_rows(self, archs: Population, evidence: Evidence, screen: Screen) -> NDArray[np.intp]:
        """Rows that keep the cheap constraints, or for which something equal does; else what breaks them least."""
        rows, self._instead = np.array([], dtype=np.intp), {}
        if evidence.acquisition is not None:
            rows, self._instead = self._substitutes.pool(archs, self.seen, evidence.acquisition)
        return rows if len(rows) else screen.keep(archs, self.objectives)

    def _rank(self, beliefs: Beliefs | None, pool: Population) -> NDArray[np.intp]:
        """Candidates to propose, in order, with what is expected of them kept for the figures."""
        if beliefs is None or not len(pool):
            self._figures.expect({})
            return self.rng.permutation(len(pool))[: self.round_size]
        order, mean, std = beliefs.choose(pool, self.round_size, self.acquisition, self.rng, self._per_proposal)
        spread = np.sqrt(std**2 + beliefs.noise)
        keys = {i: self._instead[key].key if (key := pool.keys[i]) in self._instead else key for i in order.tolist()}
        self._figures.expect({key: (float(mean[i]), float(spread[i])) for i, key in keys.items()})
        return order

    def _keep_insight(self, beliefs: Beliefs | None, pool: Population) -> None:
        """Keep what is believed of a pool, where somebody wants to know."""
        self.insight = None
        if self.keeps_insight and beliefs is not None and len(pool):
            value = beliefs.value(pool, self.acquisition, self.rng)
            self.insight = Insight.of(pool, *beliefs.predicted(pool), value)

    # ------------------------------------------------------------------ figures, state

    def records(self) -> dict[str, float]:
        """Figures of the last finished round, see ``docs/generative.md``."""
        return dict(self._figures.record) if "hit_rate" in self._figures.record else {}

    def state_dict(self) -> dict[str, Any]:
        """What every strategy in rounds keeps, what sources remember, credit and figures, and settings left open."""
        return super().state_dict() | {
            "resolved": {"shares": self.shares, "kernels": self.kernels, "per_proposal": self._per_proposal},
            "sources": {name: source.state_dict() for name, source in self.sources.items()},
            "credit": self._bandit.state_dict(),
            "figures": self._figures.state_dict(),
            "surrogates": self._memory.state_dict(),
            **({} if self.insight is None else {"insight": self.insight.state_dict()}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        former = {"shares": self.former_shares, "kernels": {}, "per_proposal": 0}  # of versions that did not say
        resolved = state.get("resolved", former)
        self._per_proposal = resolved["per_proposal"]
        shares = resolved["shares"] if self._open else self.shares
        if (shares, resolved["kernels"]) != (self.shares, self.kernels):
            self._set_pool(shares, resolved["kernels"])
        for name, source in self.sources.items():
            if name in state["sources"]:
                source.load_state_dict(state["sources"][name])
        self._bandit.load_state_dict(state["credit"])
        self._figures.load_state_dict(state["figures"])
        self._memory.load_state_dict(state.get("surrogates"))
        self.insight = Insight.from_state(state["insight"]) if "insight" in state else None


def new_source(name: str, space: Space) -> Source:
    """The source called ``name``, or imported from ``file.py:Class``.

    Raises:
        UnknownNameError: no source has that name.
        ConfigError: what was imported is no source, or needs more than the space.
    """
    source = configured(f"source {name!r}", SOURCES.get(name), {}, space=space)
    if not isinstance(source, Source):
        raise ConfigError(f"Expected {shown(name)} to be a Source, got {type(source).__name__}.")
    return source


def _place(entry: tuple[str, Source]) -> int:
    """Where a source stands in a pool: generators first, then what starts from the best, the space, what costs most."""
    return {"evolve": 1, "mutation": 2, "crossover": 3, "random": 4, "llm": 5}.get(entry[0], 0)


def _check(surrogate: str, acquisition: str, design: str) -> None:
    if surrogate not in get_args(SurrogateName):
        raise ConfigError(f"Expected surrogate gp, forest, stack or none, got {shown(surrogate)}.")
    if acquisition not in ACQUISITIONS:
        raise ConfigError(f"Expected acquisition {', '.join(ACQUISITIONS)}, got {shown(acquisition)}.")
    if design not in get_args(Design):
        raise ConfigError(f"Expected design random or spread, got {shown(design)}.")


def _refuse_empty(**given: Mapping[str, float] | None) -> None:
    """An empty mapping is no wish for the default."""
    for name, value in given.items():
        if value is not None and not value:
            raise ConfigError(f"Expected {name} as NAME: SHARE, got {shown(value)}; leave {name} out for the default.")


def _far_apart(candidates: Population, n: int) -> list[int]:
    """The first candidate, then always the one farthest from those chosen, in edits (Gonzalez 1985)."""
    D, chosen = candidates.decisions, [0]
    distance = (D != D[0]).sum(1)
    while len(chosen) < min(n, len(D)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, (D != D[chosen[-1]]).sum(1))
    return chosen
