"""Regularised evolution: its contract, ageing, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, Strategy
from gennas.search.strategies import RandomSearch, RegularizedEvolution
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))


class TestRegularizedEvolution(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return RegularizedEvolution(space, objectives, seed, population_size=20, sample_size=5)


def test_only_the_youngest_are_parents() -> None:
    space = NASBench201()
    strategy = RegularizedEvolution(space, GOALS, 0, population_size=10, sample_size=3)
    search = Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema)), Archive(":memory:", space), GOALS, 60)
    trials = search.run().trials
    assert [t.proposal.origin.source for t in trials[:10]] == ["random"] * 10
    for i, trial in enumerate(trials[10:], start=10):
        (parent,) = trial.proposal.origin.parents
        assert parent in [t.arch.key for t in trials[i - 10 : i]]


def test_a_tournament_of_everyone_picks_the_best() -> None:
    space = NASBench201()
    strategy = RegularizedEvolution(space, GOALS, 0, population_size=10, sample_size=200)
    search = Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema)), Archive(":memory:", space), GOALS, 30)
    trials = search.run().trials
    for i, trial in enumerate(trials[10:], start=10):
        best = max(trials[i - 10 : i], key=lambda t: t.metrics["score"])
        assert trial.proposal.origin.parents == (best.arch.key,)


def test_beats_random_search() -> None:
    def best(strategy: type[Strategy], seed: int) -> float:
        space = NASBench201()
        evaluator = SyntheticEvaluator(space.schema, seed)
        archive = Archive(":memory:", space)
        search = Search(strategy(space, GOALS, seed), SerialExecutor(evaluator), archive, GOALS, 150, seed)
        return search.run().best.metrics["score"]

    gain = [best(RegularizedEvolution, s) - best(RandomSearch, s) for s in range(15)]
    assert wilcoxon(np.array(gain), alternative="greater").pvalue < 0.01


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="positive sizes"):
        RegularizedEvolution(NASBench201(), GOALS, population_size=0)
