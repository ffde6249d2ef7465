"""The tiny language model as strategy and source: the contract, its start, and what it ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from gennas.errors import ConfigError
from gennas.search import Objective, Objectives, Strategy
from gennas.search.screen import Screen
from gennas.search.strategies import GenerativeSearch, Tiny
from gennas.search.strategies.generative.likelihood_ratio import LikelihoodRatio
from gennas.spaces import NASBench101, NASBench201, Space
from gennas.testing import StrategyContract

GOALS = Objectives((Objective("score"),))


class TestTiny(StrategyContract):
    budget = 14

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return Tiny(space, objectives, seed, models=1, steps=4, pool_size=40)


class TestTinySource(StrategyContract):
    budget = 10

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeSearch(space, objectives, seed, shares={"tiny": 0.5, "random": 0.5}, pool_size=40)


def worth(D: np.ndarray) -> np.ndarray:
    """Some operations are good anywhere, others where their neighbour is the same."""
    return np.array([0.0, 1.0, 2.0, 3.0, 0.5])[D].sum(1) + (D[:, 1:] == D[:, :-1]).sum(1)


def test_the_ratio_ranks_what_it_never_saw() -> None:
    space = NASBench201()
    rng = np.random.default_rng(0)
    ranker, archs, others = LikelihoodRatio(space, models=1), space.sample(40, rng), space.sample(500, rng)
    assert not ranker.score(others).any() and not len(ranker.sample(5, rng))
    ranker.fit(archs, worth(archs.decisions), rng)
    assert spearmanr(ranker.score(others), worth(others.decisions)).statistic > 0.6
    assert worth(ranker.sample(200, rng).decisions).mean() > worth(others.decisions).mean() + 1


def test_the_start_is_the_largest_where_a_cheap_metric_says_what_is_large() -> None:
    space = NASBench201()
    strategy = Tiny(space, GOALS, 3, warm_start=4, largest=2)
    strategy.screen = Screen(lambda arch: {"size": float((arch.decisions == 3).sum())}, ("size",))
    sizes = [int((p.arch.decisions == 3).sum()) for p in strategy.ask(4)]
    assert sizes[:2] == [6, 5] and max(sizes[2:]) < 5
    blind = Tiny(space, GOALS, 3, warm_start=4, largest=2).ask(4)
    assert max(int((p.arch.decisions == 3).sum()) for p in blind) < 6


def test_it_ranks_where_decisions_depend_on_each_other() -> None:
    space = NASBench101()
    rng = np.random.default_rng(0)
    ranker, archs = LikelihoodRatio(space, models=2, steps=3), space.sample(12, rng)
    ranker.fit(archs, archs.decisions.sum(1).astype(float), rng)
    assert np.isfinite(ranker.score(archs)).all() and space.is_valid(ranker.sample(9, rng)).all()


def test_numbers_that_make_no_sense_are_refused() -> None:
    for wrong in ({"explore": 1.5}, {"largest": -1}, {"samples": 2.0}, {"models": 0}, {"steps": 0}):
        with pytest.raises(ConfigError, match="Expected"):
            Tiny(NASBench201(), GOALS, **wrong)
