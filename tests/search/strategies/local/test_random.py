"""Random search."""

from __future__ import annotations

from gennas.search import Objectives, Strategy
from gennas.search.strategies import RandomSearch
from gennas.spaces import Space
from gennas.testing import StrategyContract


class TestRandom(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return RandomSearch(space, objectives, seed)
