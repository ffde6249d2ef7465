"""The evolved source: it climbs the acquisition, keeps constraints, credits kernels, and continues exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY
from gennas.execution import SerialExecutor
from gennas.graph import Population
from gennas.search import Archive, Constraint, Objective, Objectives, Origin, Proposal, Search, Strategy, Trial
from gennas.search.packing import pack_state, unpack_state
from gennas.search.screen import Screen
from gennas.search.strategies import BayesianSearch, EvolvedSource, GenerativeSearch
from gennas.search.strategies.bayesian.beliefs import Outcomes
from gennas.search.strategies.kernels import Kernel
from gennas.search.strategies.sources import Evidence
from gennas.spaces import MacroChain, NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator
from gennas.testing.landscapes import macro12

GOALS = Objectives((Objective("score"),))
SMALL = {"warm_start": 8, "round_size": 4, "pool_size": 60}
SPACE = MacroChain(max_depth=3, widths=(8, 16))


class TestEvolved(StrategyContract):
    budget = 40

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return BayesianSearch(space, objectives, seed, shares={"evolve": 1.0}, **SMALL)


class TestEvolvedThompson(StrategyContract):
    budget = 32

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        shares = {"evolve": 0.7, "random": 0.3}
        return BayesianSearch(space, objectives, seed, shares=shares, acquisition="thompson", bandit=True, **SMALL)


class TestEvolvedWithoutSurrogate(StrategyContract):
    budget = 32

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return BayesianSearch(space, objectives, seed, shares={"evolve": 1.0}, surrogate="none", **SMALL)


def widths(archs: Population) -> np.ndarray:
    """How many layers have 16 channels, and half of that for every first operation."""
    labels = np.array(SPACE.schema.node_labels)[archs.X]
    return (labels == "w16").sum(1) + 0.5 * (labels == SPACE.choices[0][0]).sum(1)


def evidence(value: Callable[[Population], np.ndarray] | None = widths, **given) -> Evidence:
    archs = SPACE.sample(30, np.random.default_rng(0)).unique()
    trials = [
        Trial(Proposal(a, Origin("random")), "ok", {"score": float(v)})
        for a, v in zip(archs, widths(archs), strict=True)
    ]
    return Evidence(archs, Outcomes(GOALS, trials), 5, value, **given)


def test_the_last_generation_is_better_than_the_first_and_than_one_pool() -> None:
    known = evidence()
    pool = EvolvedSource(SPACE).draw(500, known, np.random.default_rng(0))
    once = EvolvedSource(SPACE, generations=1).draw(500, known, np.random.default_rng(0))
    assert len(pool) == len(once) == 500 and SPACE.is_valid(pool).all()
    assert widths(pool[400:]).mean() > widths(pool[:100]).mean() + 0.8
    assert widths(pool).max() > widths(once).max()


def test_only_what_keeps_cheap_constraints_is_a_candidate_or_a_parent() -> None:
    def cheap(archs: Population) -> np.ndarray:
        return archs.decisions[:, 1] == archs.decisions[:, 1].min()

    pool = EvolvedSource(SPACE).draw(200, evidence(cheap=cheap), np.random.default_rng(0))
    assert 0 < len(pool) < 200 and cheap(pool).all()
    nothing = evidence(cheap=lambda archs: np.zeros(len(archs), dtype=bool))
    assert len(EvolvedSource(SPACE).draw(200, nothing, np.random.default_rng(0))) == 200


def test_what_was_seen_is_a_poor_parent() -> None:
    """With all of the best seen, later generations start elsewhere."""
    free = EvolvedSource(SPACE, survivors=1).draw(400, evidence(), np.random.default_rng(0))
    best = free[int(widths(free).argmax())].key

    def seen_value(archs: Population) -> np.ndarray:
        return widths(archs) + 1.5 * np.array([key == best for key in archs.keys])

    pools = [
        EvolvedSource(SPACE, generations=2, survivors=1)._selected(
            free[:1], free, np.zeros(len(free), dtype=int), evidence(seen_value, seen=seen)
        )
        for seen in (set(), {best})
    ]
    assert pools[0].keys == [best] and pools[1].keys != [best]


class Lazy(Kernel):
    """The parents as they are."""

    def vary(self, parents, n, evidence, progress, rng):
        return parents[rng.integers(len(parents), size=n)]


class Slow(Kernel):
    """Mutants, at fifty times the cost."""

    cost = 50.0

    def vary(self, parents, n, evidence, progress, rng):
        return self.space.mutate(parents[rng.integers(len(parents), size=n)], rng)


@pytest.mark.parametrize("idle", [Lazy, Slow])
def test_shares_follow_the_yield_for_the_declared_cost(idle: type[Kernel]) -> None:
    name = f"{__name__}:{idle.__name__}"
    source = EvolvedSource(SPACE, {"mutation": 0.5, name: 0.5}, generations=10)
    source.draw(600, evidence(), np.random.default_rng(0))
    shares = source.bandit.shares()
    assert shares["mutation"] > 0.62 and shares[name] >= 0.1
    fixed = EvolvedSource(SPACE, {"mutation": 0.5, name: 0.5}, adaptive=False)
    fixed.draw(600, evidence(), np.random.default_rng(0))
    assert fixed.bandit.shares() == {"mutation": 0.5, name: 0.5}


def test_what_kernels_yielded_is_remembered() -> None:
    source, twin = EvolvedSource(SPACE), EvolvedSource(SPACE)
    source.draw(100, evidence(), np.random.default_rng(0))
    twin.load_state_dict(unpack_state(pack_state(source.state_dict())))
    assert twin.bandit.shares() == source.bandit.shares() != EvolvedSource(SPACE).bandit.shares()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"kernels": {}}, "sum to 1"),
        ({"kernels": {"mutation": 0.5}}, "sum to 1"),
        ({"kernels": {"mutation": float("nan")}}, "sum to 1"),
        ({"kernels": {"mutation": 1.0, "crossover": float("nan")}}, "sum to 1"),
        ({"kernels": {"mutaton": 1.0}}, "Did you mean mutation"),
        ({"kernels": {f"{__name__}:widths": 1.0}}, r"kernel|Kernel"),
        ({"kernels": {f"{__name__}:SPACE": 1.0}}, r"kernel|Kernel"),
        ({"generations": 0}, "positive"),
        ({"survivors": 0}, "positive"),
    ],
)
def test_wrong_settings(options: dict, complaint: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=complaint):
        EvolvedSource(SPACE, **options)


def test_kernels_need_a_share_of_evolve() -> None:
    with pytest.raises(ConfigError, match="share of evolve"):
        BayesianSearch(NASBench201(), GOALS, kernels={"mutation": 1.0})
    strategy = BayesianSearch(NASBench201(), GOALS, shares={"evolve": 1}, kernels={"crossover": 1.0})
    assert list(strategy.sources["evolve"].kernels) == ["crossover"]


def test_a_bound_is_kept_by_all_that_is_proposed() -> None:
    goals = Objectives((Objective("score"),), (Constraint("ones", "<=", 3.0),))
    strategy = BayesianSearch(SPACE, goals, 0, shares={"evolve": 1}, **SMALL)
    strategy.screen = Screen(lambda arch: {"ones": float((arch.decisions == 1).sum())}, ("ones",))
    told: list[Trial] = []
    while len(told) < 32:
        proposals = strategy.ask(strategy.batch_size)
        values = [float((p.arch.decisions == 1).sum()) for p in proposals]
        trials = [
            Trial(p, "ok", {"score": v + float(p.arch.decisions.sum()), "ones": v})
            for p, v in zip(proposals, values, strict=True)
        ]
        strategy.tell(trials)
        told += trials
    assert max(t.metrics["ones"] for t in told) <= 3
    assert {t.proposal.origin.source for t in told[8:]} == {"evolve"}


def test_a_batch_of_64_is_spread() -> None:
    """64 different ones, farther from one another than the 64 of greatest expected improvement."""
    space, evaluator = MacroChain(), SyntheticEvaluator(MacroChain().schema, 0)
    strategy = BayesianSearch(space, GOALS, 0, shares={"evolve": 1}, round_size=64)
    archs = space.sample(60, np.random.default_rng(0)).unique()
    scores = [evaluator.evaluate(a, FULL_FIDELITY, 0)["score"] for a in archs]
    strategy.tell(
        [Trial(Proposal(a, Origin("random")), "ok", {"score": v}) for a, v in zip(archs, scores, strict=True)]
    )
    known, outcomes = strategy._archive()
    beliefs = strategy._fit_surrogates(known, outcomes)
    assert beliefs is not None
    ready = strategy._evidence(known, outcomes, beliefs)
    pool, _ = strategy._drop_known(*strategy._draw_pool(ready), ready)
    value = ready.value(pool)
    assert value is not None
    chosen = strategy._rank(beliefs, pool)

    def distance(rows: np.ndarray) -> float:
        D = pool[rows].decisions
        return float((D[:, None] != D[None]).sum(2).mean())

    assert len({pool.keys[i] for i in chosen}) == 64
    assert distance(chosen) > distance(np.argsort(-value, kind="stable")[:64]) + 0.5


# ---------------------------------------------------------------------- settings left open, and former versions


def test_what_was_left_open_is_restored_from_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    made = partial(GenerativeSearch, NASBench201(), GOALS, 0)
    kernels = {"crossover": 1.0}
    monkeypatch.setattr(GenerativeSearch, "_default_pool", lambda self: ({"evolve": 0.25, "random": 0.75}, kernels))
    state = unpack_state(pack_state(made().state_dict()))
    monkeypatch.undo()
    twin = made()
    twin.load_state_dict(state)
    assert twin.shares == {"evolve": 0.25, "random": 0.75} and list(twin.sources) == ["evolve", "random"]
    assert list(twin.sources["evolve"].kernels) == ["crossover"]
    own = made(shares={"random": 1})
    own.load_state_dict(state | {"sources": {}, "credit": own._bandit.state_dict()})
    assert own.shares == {"random": 1.0}, "what the user said stands"


def test_a_state_of_version_0_1_means_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    former = GenerativeSearch(NASBench201(), GOALS, 0, shares={"diffusion": 0.35, "mutation": 0.15, "random": 0.5})
    state = former.state_dict()
    del state["resolved"]
    monkeypatch.setattr(GenerativeSearch, "_default_pool", lambda self: ({"evolve": 1.0}, {"mutation": 1.0}))
    now = GenerativeSearch(NASBench201(), GOALS, 0)
    assert now.shares == {"evolve": 1.0}
    now.load_state_dict(state)
    assert now.shares == former.shares and list(now.sources) == list(former.sources)
    assert now._per_proposal == 0 and now.state_dict()["resolved"]["per_proposal"] == 0


def test_an_archive_continues_with_evolve_on() -> None:
    found = []
    for budgets in ((32,), (13, 32)):
        archive = Archive(":memory:", SPACE)
        for budget in budgets:
            strategy = BayesianSearch(SPACE, GOALS, 0, shares={"evolve": 0.6, "random": 0.4}, **SMALL)
            executor = SerialExecutor(SyntheticEvaluator(SPACE.schema, 0))
            Search(strategy, executor, archive, GOALS, budget, 0).run()
        found.append([(t.arch.key, t.proposal.origin) for t in archive.trials()])
    assert found[0] == found[1]
    assert "evolve" in {origin.source for _, origin in found[0]}


@pytest.mark.slow
def test_evolving_beats_one_pool_of_mutants_on_deep_chains() -> None:
    """The closed-form log-synflow of up to 12 layers under a bound on parameters, 52 evaluations, 8 paired seeds."""

    def best(source: str, seed: int) -> float:
        landscape = macro12()
        goals = landscape.objectives
        options = {"shares": {source: 1.0}, "round_size": 4, "pool_size": 500}
        strategy = BayesianSearch(landscape.space, goals, seed, **options)
        strategy.screen = landscape.screen()
        archive = Archive(":memory:", landscape.space)
        result = Search(strategy, SerialExecutor(landscape), archive, goals, 52, seed).run()
        return float(result.best.metrics[landscape.goal])

    gains = np.array([best("evolve", seed) - best("mutation", seed) for seed in range(8)])
    assert (gains > 0).sum() >= 6 and wilcoxon(gains, alternative="greater").pvalue < 0.05


def test_evidence_can_be_replaced_in_part() -> None:
    assert replace(evidence(), elites=2).best.size == 2
