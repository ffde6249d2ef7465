"""The cross-entropy method: its contract, and where its distribution goes."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.search import Objective, Objectives, Strategy, Trial
from gennas.search.strategies import CrossEntropy, RandomSearch
from gennas.spaces import NASBench101, NASBench201, Space
from gennas.testing import StrategyContract

GOALS = Objectives((Objective("score"),))


class TestCrossEntropy(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return CrossEntropy(space, objectives, seed)


def best_of(strategy: Strategy, budget: int) -> float:
    """The best number of third operations that it finds."""
    scores: list[float] = []
    while len(scores) < budget:
        proposals = strategy.ask(min(strategy.batch_size, budget - len(scores)))
        found = [float((p.arch.decisions == 3).sum()) for p in proposals]
        strategy.tell([Trial(p, "ok", {"score": s}) for p, s in zip(proposals, found, strict=True)])
        scores += found
    return max(scores)


def test_it_beats_random_search_where_decisions_do_not_depend_on_each_other() -> None:
    space = NASBench201()
    pairs = [
        (best_of(CrossEntropy(space, GOALS, seed), 60), best_of(RandomSearch(space, GOALS, seed), 60))
        for seed in range(8)
    ]
    assert sum(a > b for a, b in pairs) >= 7


def test_the_distribution_moves_towards_the_elites_by_the_formula() -> None:
    space = NASBench201()
    strategy = CrossEntropy(space, GOALS, 0, warm_start=10, smoothing=0.5)
    proposals = strategy.ask(10)
    scores = np.array([float(p.arch.decisions.sum()) for p in proposals])
    strategy.tell([Trial(p, "ok", {"score": s}) for p, s in zip(proposals, scores.tolist(), strict=True)])
    strategy.ask(1)
    elites = np.array([proposals[i].arch.decisions for i in np.argsort(-scores, kind="stable")[:2]])
    expected = 0.5 * 0.2 + 0.5 * (elites[:, :, None] == np.arange(5)).mean(0)
    assert strategy.probabilities == pytest.approx(expected)


def test_samples_are_legal_where_decisions_depend_on_each_other() -> None:
    space = NASBench101()
    strategy = CrossEntropy(space, GOALS, 1, warm_start=4, round_size=3)
    assert best_of(strategy, 20) >= 0


def test_probabilities_that_are_none_are_refused() -> None:
    for wrong in ({"elites": 0.0}, {"smoothing": 1.5}, {"explore": -0.1}):
        with pytest.raises(ConfigError, match="Expected"):
            CrossEntropy(NASBench201(), GOALS, **wrong)
