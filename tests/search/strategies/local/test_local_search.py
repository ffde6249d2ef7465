"""Local search: its contract, its moves, and that it beats random search."""

from __future__ import annotations

import numpy as np
from scipy.stats import wilcoxon

from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, Strategy
from gennas.search.strategies import LocalSearch, RandomSearch
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))


class TestLocalSearch(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return LocalSearch(space, objectives, seed)


def best_after(strategy: type[Strategy], budget: int, seed: int) -> float:
    space = NASBench201()
    evaluator = SyntheticEvaluator(space.schema, seed)
    search = Search(
        strategy(space, GOALS, seed), SerialExecutor(evaluator), Archive(":memory:", space), GOALS, budget, seed
    )
    return search.run().best.metrics["score"]


def test_proposes_neighbours_of_the_incumbent_until_one_is_better() -> None:
    space = NASBench201()
    evaluator = SyntheticEvaluator(space.schema)
    strategy = LocalSearch(space, GOALS, 0)
    search = Search(strategy, SerialExecutor(evaluator), Archive(":memory:", space), GOALS, 30)
    current = None
    for trial in search.run().trials:
        if trial.proposal.origin.source == "restart":
            current = trial
            continue
        assert trial.proposal.origin.parents == (current.arch.key,)
        assert trial.arch in list(space.neighbours(current.arch))
        if trial.metrics["score"] > current.metrics["score"]:
            current = trial


def test_beats_random_search() -> None:
    ours = [best_after(LocalSearch, 60, seed) for seed in range(15)]
    theirs = [best_after(RandomSearch, 60, seed) for seed in range(15)]
    assert wilcoxon(np.array(ours) - np.array(theirs), alternative="greater").pvalue < 0.01
