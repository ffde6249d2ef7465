"""Bayesian optimisation: its contract, and that nothing is generated."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.graph import Population
from gennas.search import Archive, Objective, Objectives, Search, Strategy
from gennas.search.strategies import BayesianSearch
from gennas.search.strategies.sources import Evidence, Source
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

SMALL = {"warm_start": 8, "round_size": 4, "pool_size": 60}


class TestBayesian(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return BayesianSearch(space, objectives, seed, **SMALL)


def test_pools_are_random() -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    strategy, archive = BayesianSearch(space, goals, 0, **SMALL), Archive(":memory:", space)
    Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, 0)), archive, goals, 20, 0).run()
    assert {t.proposal.origin.source for t in archive.trials()} == {"random"}
    assert list(strategy.sources) == ["random"]


def test_what_was_expected_of_a_proposal_is_archived() -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    found = {}
    for surrogate in ("gp", "none"):
        strategy, archive = BayesianSearch(space, goals, 0, **SMALL, surrogate=surrogate), Archive(":memory:", space)
        Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, 0)), archive, goals, 12, 0).run()
        found[surrogate] = [dict(t.proposal.origin.details) for t in archive.trials()]
    assert found["none"] == [{}] * 12 and found["gp"][:8] == [{}] * 8
    assert [set(details) for details in found["gp"][8:]] == [{"predicted", "predicted_sd"}] * 4
    assert all(details["predicted_sd"] > 0 for details in found["gp"][8:])


def test_what_was_expected_survives_a_stop_within_a_round() -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    found = []
    for budgets in ((20,), (10, 20)):
        archive = Archive(":memory:", space)
        for budget in budgets:
            strategy = BayesianSearch(space, goals, 0, **SMALL)
            executor = SerialExecutor(SyntheticEvaluator(space.schema, 0))
            Search(strategy, executor, archive, goals, budget, 0).run()
        found.append([(t.arch.key, t.proposal.origin) for t in archive.trials()])
    assert found[0] == found[1]
    assert all(origin.details for _, origin in found[0][8:])


@pytest.mark.parametrize("empty", [{"shares": {}}, {"kernels": {}}, {"shares": {"evolve": 1.0}, "kernels": {}}])
def test_an_empty_mapping_is_no_wish_for_the_default(empty: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ConfigError, match=r"Expected (shares|kernels) as NAME: SHARE, got \{\}; leave \1 out"):
        BayesianSearch(NASBench201(), Objectives((Objective("score"),)), **empty)


@pytest.mark.parametrize("shares", [{"random": float("nan")}, {"random": 1.0, "mutation": float("nan")}])
def test_what_is_no_number_is_no_share(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="sum to 1"):
        BayesianSearch(NASBench201(), Objectives((Objective("score"),)), shares=shares)


@pytest.mark.parametrize("pool_size", [1])
def test_a_tiny_pool_is_drawn_from_the_greatest_share(pool_size: int) -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    shares = {"evolve": 0.24, "mutation": 0.24, "crossover": 0.24, "random": 0.28}
    strategy = BayesianSearch(space, goals, 0, warm_start=4, round_size=1, pool_size=pool_size, shares=shares)
    archive = Archive(":memory:", space)
    Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, 0)), archive, goals, 7, 0).run()
    assert [t.proposal.origin.source for t in archive.trials()][4:] == ["random"] * 3


class FewOfTheWorst(Source):
    """Five candidates, whatever it is asked for: neighbours of the worst."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        worst = evidence.archs[np.full(5, int(evidence.outcomes.utility.argmin()))]
        return self.space.mutate(worst, rng)


class WithFew(BayesianSearch):
    """Knows that source."""

    def _source(self, name: str) -> Source:
        return FewOfTheWorst(self.space) if name == "few" else super()._source(name)


def test_a_source_that_leaves_its_places_empty_and_never_hits_loses_its_share() -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    shares = {"few": 0.38, "mutation": 0.31, "random": 0.31}
    sizes = {"warm_start": 8, "round_size": 4, "pool_size": 400}
    strategy, archive = WithFew(space, goals, 0, **sizes, shares=shares, bandit=True), Archive(":memory:", space)
    Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, 0)), archive, goals, 60, 0).run()
    assert strategy._bandit.shares()["few"] < 0.3


def test_places_that_are_filled_are_counted_as_candidates_were() -> None:
    space, goals = NASBench201(), Objectives((Objective("score"),))
    shares = {"mutation": 0.5, "random": 0.5}
    strategy = BayesianSearch(space, goals, 0, **SMALL, shares=shares, bandit=True)
    archive = Archive(":memory:", space)
    Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, 0)), archive, goals, 12, 0).run()
    assert strategy._bandit.state_dict()["offered"].tolist() == [30.0, 30.0]
