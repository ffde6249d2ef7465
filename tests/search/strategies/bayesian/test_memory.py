"""Hyper-parameters that go from round to round, and through a snapshot."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import Population
from gennas.models.surrogate import ForestSurrogate, GPSurrogate, StackSurrogate, Surrogate
from gennas.search import Objective, Objectives, Proposal, Trial
from gennas.search.packing import pack_state, unpack_state
from gennas.search.strategies import BayesianSearch
from gennas.search.strategies.bayesian.memory import SurrogateMemory
from gennas.spaces import MacroChain, NASBench201

GOALS = Objectives((Objective("score"),))
SPACE = MacroChain()
SHARES = {"mutation": 0.5, "random": 0.5}


def labels(b: int) -> tuple[Population, np.ndarray]:
    archs = SPACE.sample(b, np.random.default_rng(0))
    return archs, archs.decisions.sum(1) + np.random.default_rng(1).normal(size=b)


def told(strategy: BayesianSearch, proposals: list[Proposal]) -> None:
    weight = np.random.default_rng(5).normal(size=SPACE.schema.num_decisions)
    strategy.tell([Trial(p, "ok", {"score": float(weight @ p.arch.decisions)}) for p in proposals])


def search() -> BayesianSearch:
    return BayesianSearch(SPACE, GOALS, seed=3, warm_start=410, round_size=20, pool_size=60, shares=SHARES)


def test_the_next_rounds_surrogates_recall_what_those_in_their_place_learned() -> None:
    archs, y = labels(80)
    memory = SurrogateMemory()

    def make() -> Surrogate:
        return StackSurrogate([GPSurrogate(cap=40), ForestSurrogate(num_trees=5)])

    learned = []
    for b in (60, 70, 80):
        surrogate = memory.recalling(make)()
        surrogate.fit(archs[:b], y[:b])
        learned.append(surrogate.learned)
    assert [found["0"]["labels"] for found in learned] == [60, 60, 80]
    assert set(learned[0]) == {"0"}  # a forest recalls nothing


def test_it_survives_a_snapshot() -> None:
    archs, y = labels(65)
    memory, later = SurrogateMemory(), SurrogateMemory()
    memory.recalling(lambda: GPSurrogate(cap=40))().fit(archs[:60], y[:60])
    later.load_state_dict(unpack_state(pack_state({"memory": memory.state_dict()}))["memory"])
    found = [m.recalling(lambda: GPSurrogate(cap=40))() for m in (memory, later)]
    for surrogate in found:
        surrogate.fit(archs, y)
    assert found[0].hyperparameters == found[1].hyperparameters
    assert found[1].learned["labels"] == 60
    assert later.state_dict()["former"] is False


def test_a_search_of_more_labels_than_the_cap_continues_exactly() -> None:
    one, batches, states = search(), [], []
    for _ in range(4):
        batches.append(one.ask(one.batch_size))
        told(one, batches[-1])
        states.append(pack_state(one.state_dict()))
    other = search()
    other.load_state_dict(unpack_state(states[1]))
    for batch in batches[2:]:
        again = other.ask(other.batch_size)
        assert [p.arch.key for p in again] == [p.arch.key for p in batch]
        told(other, again)


def test_a_search_of_version_0_1_keeps_its_processes() -> None:
    strategy = search()
    state = strategy.state_dict()
    assert state.pop("surrogates")["former"] is False
    strategy.load_state_dict(state)
    members = strategy._surrogate().members
    assert [member.cap for member in members] == [None, None]
    assert strategy.state_dict()["surrogates"]["former"] is True


@pytest.mark.parametrize(("space", "number"), [(NASBench201(), 2), (MacroChain(), 1)])
def test_neighbourhoods_are_looked_at_where_they_differ(space: NASBench201 | MacroChain, number: int) -> None:
    assert len(BayesianSearch(space, GOALS)._surrogate().members) == number
