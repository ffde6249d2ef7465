"""Generative evolution: its contract, its operators, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, Strategy, Trial
from gennas.search.strategies import GenerativeEvolution
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))
SMALL = {
    "warm_start": 6,
    "round_size": 3,
    "children": 12,
    "unlabelled": 60,
    "pretrain_steps": 5,
    "refit_steps": 3,
    "refit_every": 6,
}


class TestGenerativeEvolution(StrategyContract):
    budget = 18

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeEvolution(space, objectives, seed, **SMALL)


class TestAgeingWithoutRanker(TestGenerativeEvolution):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeEvolution(space, objectives, seed, survival="ageing", ranker="none", **SMALL)


def run(budget: int, seed: int = 0, **options) -> tuple[GenerativeEvolution, list[Trial], list[dict]]:
    space = NASBench201()
    strategy = GenerativeEvolution(space, GOALS, seed, **{**SMALL, **options})
    archive = Archive(":memory:", space)
    executor = SerialExecutor(SyntheticEvaluator(space.schema, seed))
    return strategy, list(Search(strategy, executor, archive, GOALS, budget, seed).run().trials), archive.rounds()


def test_children_have_their_parents_and_their_operator() -> None:
    _, trials, rounds = run(24)
    keys: list[str] = [t.arch.key for t in trials]
    assert {t.proposal.origin.source for t in trials[6:]} == {"renoise", "recombine"}
    for i, trial in enumerate(trials[6:], start=6):
        origin = trial.proposal.origin
        assert len(origin.parents) == (1 if origin.source == "renoise" else 2)
        assert all(parent in keys[:i] for parent in origin.parents)
    assert [r["n_evals"] for r in rounds] == [9, 12, 15, 18, 21, 24]
    assert [r["refits"] for r in rounds] == [1, 1, 2, 2, 3, 3]
    assert all(r["validity"] == 1 and 0 < r["uniqueness"] <= 1 and 0 <= r["hit_rate"] <= 1 for r in rounds)


def test_weak_noise_keeps_most_of_a_parent() -> None:
    def changed(strength: float) -> float:
        _, trials, _ = run(24, strength=(strength, strength), crossover=0.0, ranker="none")
        by_key = {t.arch.key: t.arch.decisions for t in trials}
        pairs = [(t.arch.decisions, by_key[t.proposal.origin.parents[0]]) for t in trials[6:]]
        return float(np.mean([(child != parent).sum() for child, parent in pairs]))

    assert changed(0.25) < 2.2 < 3 < changed(1.0)


@pytest.mark.parametrize("survival", ["elitist", "ageing"])
def test_parents_are_winners_among_members(survival: str) -> None:
    strategy, _, _ = run(6, survival=survival, population_size=3, sample_size=30)
    utility = np.array([0.0, 5.0, 9.0, 1.0, 2.0, 3.0])
    first, second = strategy._parents(utility)
    want = 2 if survival == "elitist" else 5  # the best of all, or the best of the youngest three
    assert set(first) == set(second) == {want}


def test_odds_put_the_good_first() -> None:
    strategy, _, _ = run(60, refit_steps=60, pretrain_steps=60)
    space, evaluator = NASBench201(), SyntheticEvaluator(NASBench201().schema, 0)
    archs = space.sample(200, np.random.default_rng(5))
    order = strategy._rank(strategy.generator, archs)
    assert sorted(order) == list(range(200))
    scores = np.array([evaluator.evaluate(a, strategy._trials[0].proposal.fidelity, 0)["score"] for a in archs])[order]
    assert scores[:50].mean() > scores[50:].mean() + 1.0


def test_what_it_proposes_late_is_better_than_random() -> None:
    settings = {"children": 24, "pretrain_steps": 20, "refit_steps": 15}

    def late(seed: int) -> float:
        _, trials, _ = run(36, seed, **settings)
        scores = np.array([t.metrics["score"] for t in trials])
        return float(scores[-12:].mean() - scores[:6].mean())

    assert wilcoxon([late(seed) for seed in range(5)], alternative="greater").pvalue < 0.05


@pytest.mark.parametrize(
    "options",
    [
        {"population_size": 0},
        {"children": 0},
        {"survival": "all"},
        {"ranker": "luck"},
        {"strength": (0.0, 0.5)},
        {"strength": (0.6, 0.5)},
        {"crossover": 1.5},
    ],
)
def test_bad_settings(options: dict) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        GenerativeEvolution(NASBench201(), GOALS, **options)
