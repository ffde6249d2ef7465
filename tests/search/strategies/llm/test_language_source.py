"""A language model as one source of the generative strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, Strategy
from gennas.search.strategies import GenerativeSearch, LanguageSource
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))
QUICK = {"warm_start": 8, "pool_size": 60, "round_size": 4, "candidates": 10}
SHARES = {"llm": 0.4, "mutation": 0.3, "random": 0.3}


class TestGenerativeWithALanguageModel(StrategyContract):
    budget = 28

    @pytest.fixture(autouse=True)
    def _model(self, fond: Any) -> None:
        self.fond = fond

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeSearch(space, objectives, seed, model=self.fond, shares=SHARES, **QUICK)


def search(strategy: Strategy, budget: int = 40) -> Any:
    evaluator = SyntheticEvaluator(strategy.space.schema)
    archive = Archive(":memory:", strategy.space)
    return Search(strategy, SerialExecutor(evaluator), archive, GOALS, budget).run(), archive


def test_its_share_is_moved_by_the_bandit_and_moves_its_requests(fond: Any) -> None:
    strategy = GenerativeSearch(NASBench201(), GOALS, 0, model=fond, shares=SHARES, **QUICK)
    assert strategy.adaptive
    source = strategy.sources["llm"]
    evidence = type("E", (), {"trials": [], "features": None, "seen": set()})()
    for share, number in ((1.0, 10), (0.4, 4), (0.02, 1)):
        before = strategy.language.figures.counts.get("suggested", 0)  # type: ignore[union-attr]
        source.draw(round(share * 60), evidence, np.random.default_rng(0))  # type: ignore[arg-type]
        assert strategy.language.figures.counts["suggested"] - before == number  # type: ignore[union-attr]


def test_rounds_record_what_it_cost_and_brought(fond: Any) -> None:
    strategy = GenerativeSearch(NASBench201(), GOALS, 1, model=fond, shares=SHARES, **QUICK)
    result, archive = search(strategy)
    last = archive.rounds()[-1]
    assert last["llm_valid"] == 1.0 and 0 < last["llm_novel"] <= 1 and last["llm_tokens"] == 11 * len(fond.asked)
    assert sum(t.cost.get("llm_tokens", 0.0) for t in result.trials) == last["llm_tokens"]
    assert 0.1 <= last["share_llm"] <= 0.8 and len({r["share_llm"] for r in archive.rounds()}) > 1


def test_without_a_model_nothing_changes_and_with_one_it_has_a_fifth(fond: Any) -> None:
    assert "llm" not in GenerativeSearch(NASBench201(), GOALS).shares
    strategy = GenerativeSearch(NASBench201(), GOALS, model=fond)
    assert strategy.shares["llm"] == 0.2 and abs(sum(strategy.shares.values()) - 1) < 1e-9
    with pytest.raises(ConfigError, match="needs a model"):
        GenerativeSearch(NASBench201(), GOALS, shares={"llm": 1.0})
    with pytest.raises(ConfigError, match="needs a model"):
        LanguageSource(NASBench201())
