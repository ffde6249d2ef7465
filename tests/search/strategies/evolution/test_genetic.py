"""The genetic algorithm: its contract, who breeds, batches, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, Strategy, Trial
from gennas.search.strategies import Genetic, RandomSearch
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator
from gennas.testing.landscapes import make_landscape

GOALS = Objectives((Objective("score"),))


class TestTruncation(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return Genetic(space, objectives, seed, start=20, parents=5, selection="truncation")


class TestTournament(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return Genetic(space, objectives, seed, round_size=7)


def run(strategy: Strategy, budget: int) -> list[Trial]:
    space = strategy.space
    executor, archive = SerialExecutor(SyntheticEvaluator(space.schema, strategy.seed)), Archive(":memory:", space)
    return list(Search(strategy, executor, archive, GOALS, budget, strategy.seed).run().trials)


def test_the_best_of_all_are_the_parents_of_a_whole_round() -> None:
    trials = run(Genetic(NASBench201(), GOALS, 0, start=20, parents=4, selection="truncation", round_size=10), 60)
    assert [t.proposal.origin.source for t in trials[:20]] == ["random"] * 20
    for start in (20, 30, 40, 50):
        best = sorted(trials[:start], key=lambda t: -t.metrics["score"])[:4]
        children = trials[start : start + 10]
        assert {p for t in children for p in t.proposal.origin.parents} <= {t.arch.key for t in best}
    sources = [t.proposal.origin.source for t in trials[20:]]
    assert set(sources) == {"mutation", "crossover"}
    assert all(len(t.proposal.origin.parents) == 1 + (t.proposal.origin.source == "crossover") for t in trials[20:])


def test_a_tournament_of_many_breeds_from_the_best_alone() -> None:
    trials = run(Genetic(NASBench201(), GOALS, 1, start=20, tournament=200), 30)
    best = max(trials[:20], key=lambda t: t.metrics["score"])
    assert {t.proposal.origin.parents for t in trials[20:]} == {(best.arch.key,)}  # nobody else to cross with


def test_cheap_bounds_are_kept() -> None:
    landscape = make_landscape("additive", seed=1)
    strategy = Genetic(landscape.space, landscape.objectives, 1, start=10, parents=5)
    strategy.screen = landscape.screen()
    for _ in range(5):
        proposals = strategy.ask(10)
        trials = [Trial(p, "ok", landscape.evaluate(p.arch, FULL_FIDELITY, 0)) for p in proposals]
        assert len(trials) == 10 and all(t.metrics["cost"] <= landscape.bound for t in trials)
        strategy.tell(trials)


def test_beats_random_search() -> None:
    def best(strategy: type[Strategy], seed: int) -> float:
        return max(t.metrics["score"] for t in run(strategy(NASBench201(), GOALS, seed), 150))

    gain = [best(Genetic, s) - best(RandomSearch, s) for s in range(15)]
    assert wilcoxon(np.array(gain), alternative="greater").pvalue < 0.01


@pytest.mark.parametrize("options", [{"start": 0}, {"selection": "roulette"}])
def test_bad_settings(options) -> None:
    with pytest.raises(ConfigError, match="positive sizes and truncation or tournament"):
        Genetic(NASBench201(), GOALS, **options)


def test_a_small_budget_has_a_smaller_start() -> None:
    assert Genetic.for_budget(30) == {"start": 7} and Genetic.for_budget(40) == {}
