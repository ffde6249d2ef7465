"""Rounds do not become dearer with labels, and what is proposed of many depends on nothing else."""

from __future__ import annotations

import time

import numpy as np

from gennas.graph import Population
from gennas.search import Objective, Objectives, Origin, Proposal, Trial
from gennas.search.strategies import BayesianSearch
from gennas.spaces import MacroChain

GOALS = Objectives((Objective("score"),))
SPACE = MacroChain(max_depth=12, min_depth=3)
ARCHS = SPACE.sample(2100, np.random.default_rng(0)).unique()
WEIGHT = np.random.default_rng(1).normal(size=SPACE.schema.num_decisions)


def told(strategy: BayesianSearch, archs: Population) -> None:
    values = (archs.decisions @ WEIGHT).tolist()
    proposals = [Proposal(arch, Origin("random")) for arch in archs]
    strategy.tell([Trial(p, "ok", {"score": v}) for p, v in zip(proposals, values, strict=True)])


def search() -> BayesianSearch:
    shares = {"mutation": 0.8, "random": 0.2}
    return BayesianSearch(SPACE, GOALS, seed=4, warm_start=50, round_size=50, pool_size=200, shares=shares)


def seconds_of_a_round(labels: int) -> float:
    strategy = search()
    told(strategy, ARCHS[:labels])
    spent = []
    for _ in range(2):
        start = time.process_time()
        proposals = strategy.ask(50)
        spent.append(time.process_time() - start)
        told(strategy, Population.of(SPACE.schema, [p.arch for p in proposals]))
    return min(spent)


def test_a_round_at_2000_labels_costs_no_more_than_a_few_at_400() -> None:
    """An exact process would take a hundred times as long."""
    seconds_of_a_round(60)  # imports
    assert seconds_of_a_round(2000) < 4 * seconds_of_a_round(400)


def test_proposals_at_2000_labels_depend_on_the_seed_and_the_tells_alone() -> None:
    found = []
    for parts in ([2000], [700, 1300]):
        strategy, told_before = search(), 0
        for part in parts:
            told(strategy, ARCHS[told_before : told_before + part])
            told_before += part
        found.append([p.arch.key for p in strategy.ask(50)])
    assert found[0] == found[1] and len(set(found[0])) == 50
