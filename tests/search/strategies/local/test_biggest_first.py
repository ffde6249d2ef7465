"""The control that fills the bound: its contract, and its order."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.search import Objective, Objectives, Strategy
from gennas.search.strategies import BiggestFirst
from gennas.spaces import MacroChain, Space
from gennas.testing import StrategyContract
from gennas.testing.landscapes import macro8

GOALS = Objectives((Objective("score"),))


class TestBiggestFirst(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return BiggestFirst(space, objectives, seed, pool_size=40)


def test_the_largest_within_the_bound_come_first() -> None:
    landscape = macro8()
    strategy = BiggestFirst(landscape.space, landscape.objectives, 1, pool_size=400)
    strategy.screen = landscape.screen()
    sizes = [landscape.evaluate(p.arch, None, 0)["params"] for p in strategy.ask(60)]  # type: ignore[arg-type]
    assert sizes == sorted(sizes, reverse=True) and 95_000 < sizes[0] <= 100_000


def test_without_a_cheap_metric_numbers_of_labels_count() -> None:
    space = MacroChain()
    archs = [p.arch for p in BiggestFirst(space, GOALS, 2).ask(1000)]
    depth = [len(space.layers(arch)) for arch in archs]
    width = [sum(layer.width for layer in space.layers(arch)) for arch in archs]
    assert np.mean(depth[:100]) > np.mean(depth) and np.mean(width[:100]) > 1.3 * np.mean(width[-100:])


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(ConfigError, match="positive pool_size"):
        BiggestFirst(MacroChain(), GOALS, pool_size=0)
