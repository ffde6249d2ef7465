"""Regularised evolution: its contract, ageing, and that it beats random search."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY
from gennas.execution import SerialExecutor
from gennas.search import Archive, Constraint, Objective, Objectives, Search, Strategy
from gennas.search.screen import Screen
from gennas.search.strategies import RandomSearch, RegularizedEvolution
from gennas.spaces import MacroChain, NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))


class TestRegularizedEvolution(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return RegularizedEvolution(space, objectives, seed, population_size=20, sample_size=5)


class TestWithSeveralEditsAndCrossover(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        options = {"further_edits": 0.5, "crossover": 0.5}
        return RegularizedEvolution(space, objectives, seed, population_size=20, sample_size=5, **options)


def digest(strategy: Strategy) -> str:
    """Of the keys of 120 trials under a cheap bound."""
    evaluator = SyntheticEvaluator(strategy.space.schema, 2)
    strategy.screen = Screen(lambda arch: evaluator.evaluate(arch, FULL_FIDELITY, 0), ("size",))
    archive, executor = Archive(":memory:", strategy.space), SerialExecutor(evaluator)
    trials = Search(strategy, executor, archive, strategy.objectives, 120, 3).run().trials
    return hashlib.blake2b("".join(t.arch.key for t in trials).encode(), digest_size=8).hexdigest()


@pytest.mark.parametrize(
    ("space", "bound", "expected"),
    [(NASBench201(), 12, "378eb744f5f0baf7"), (MacroChain(max_depth=4), 134, "0e3f9b6424b8fbf1")],
)
def test_the_defaults_propose_what_they_did_before_they_were_options(space: Space, bound: float, expected: str) -> None:
    """Digests of the version without ``further_edits`` and ``crossover``."""
    goals = Objectives((Objective("score"),), (Constraint("size", "<=", bound),))
    assert digest(RegularizedEvolution(space, goals, 3)) == expected


def test_crossed_children_have_two_parents_and_may_differ_in_many_decisions() -> None:
    space = MacroChain()
    options = {"further_edits": 0.5, "crossover": 0.5, "population_size": 10}
    strategy = RegularizedEvolution(space, GOALS, 0, **options)
    search = Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema)), Archive(":memory:", space), GOALS, 60)
    trials = search.run().trials[10:]
    parents = {t.proposal.origin.source: len(t.proposal.origin.parents) for t in trials}
    assert parents == {"mutation": 1, "crossover": 2}


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


def test_probabilities_must_be_some() -> None:
    for options in ({"further_edits": 1.0}, {"crossover": 1.5}):
        with pytest.raises(ConfigError, match="in \\[0, 1"):
            RegularizedEvolution(NASBench201(), GOALS, **options)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="positive sizes"):
        RegularizedEvolution(NASBench201(), GOALS, population_size=0)
