"""What is evaluated in place of candidates that break a cheap constraint."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.eval.base import FULL_FIDELITY
from gennas.graph import Architecture, Population
from gennas.search import Constraint, Objective, Objectives, Proposal, Trial
from gennas.search.screen import Screen
from gennas.search.strategies import BayesianSearch
from gennas.search.strategies.bayesian.substitutes import Substitutes
from gennas.spaces import MacroChain, NASBench201
from gennas.testing import SyntheticEvaluator

SPACE = NASBench201()
CONV = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
DEAD = "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|none~2|"  # computes what CONV does
LATER = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"  # so does this
OTHER = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|"


def read(*texts: str) -> Population:
    return SPACE.from_texts(texts)


def only(*texts: str) -> Substitutes:
    """Where these alone keep the constraints."""
    kept = set(read(*texts).keys)
    return Substitutes(SPACE, lambda archs: np.array([key in kept for key in archs.keys], dtype=bool))


def test_what_breaks_a_constraint_is_replaced_by_what_computes_the_same() -> None:
    archs = read(DEAD, OTHER, CONV)
    assert only(CONV).of(archs, ()) == {0: archs[2]}
    assert only(CONV).admits(archs, ()).tolist() == [True, False, True]


def test_the_substitute_with_the_fewest_other_decisions_is_taken() -> None:
    found = only(CONV, LATER).of(read(DEAD), ())
    assert SPACE.to_text(found[0]) == CONV


@pytest.mark.parametrize("proposed", [CONV, DEAD, LATER])
def test_a_class_of_which_something_was_proposed_has_none(proposed: str) -> None:
    assert only(CONV).of(read(DEAD), set(read(proposed).keys)) == {}


@pytest.mark.parametrize(("share", "replaced"), [(0.05, True), (0.1, False)])
def test_only_where_what_keeps_the_constraint_is_rare(share: float, replaced: bool) -> None:
    equals = SPACE.equivalents(read(DEAD)[0])
    kept = set(equals.keys[: int(share * (len(equals) + 1))])
    substitutes = Substitutes(SPACE, lambda archs: np.array([key in kept for key in archs.keys], dtype=bool))
    assert bool(substitutes.of(read(DEAD), ())) == replaced


def test_one_of_a_small_class_is_not_rare() -> None:
    arch = next(a for a in SPACE.sample(200, np.random.default_rng(0)) if 0 < len(SPACE.equivalents(a)) < 19)
    kept = SPACE.equivalents(arch).keys[0]
    substitutes = Substitutes(SPACE, lambda archs: np.array([key == kept for key in archs.keys], dtype=bool))
    assert substitutes.of(Population.of(SPACE.schema, [arch]), ()) == {}


def test_nothing_is_proposed_twice_and_the_more_valuable_stays() -> None:
    archs, substitutes = read(DEAD, CONV, LATER), only(CONV)
    rows, instead = substitutes.pool(archs, (), lambda archs: np.array([0.0, 1.0, 2.0]))
    assert rows.tolist() == [2] and instead == {archs.keys[2]: archs[1]}
    rows, instead = substitutes.pool(archs, (), lambda archs: np.array([0.0, 2.0, 1.0]))
    assert rows.tolist() == [1] and instead == {}


def test_spaces_that_know_no_equals_are_not_asked_what_they_keep() -> None:
    def never(archs: Population) -> np.ndarray:
        raise AssertionError

    space = MacroChain()
    assert Substitutes(space, never).of(space.sample(3, np.random.default_rng(0)), ()) == {}


EVALUATOR = SyntheticEvaluator(SPACE.schema, 3)


def cost(arch: Architecture) -> dict[str, float]:
    """Edges that are not none."""
    return {"cost": float((arch.decisions > 0).sum())}


def bounded() -> BayesianSearch:
    """A search under a bound on the cost, which is known for every candidate."""
    goals = Objectives((Objective("score"),), (Constraint("cost", "<=", 3.0),))
    strategy = BayesianSearch(SPACE, goals, 0, warm_start=6, pool_size=100, shares={"evolve": 0.5, "random": 0.5})
    strategy.screen = Screen(cost, ("cost",))
    return strategy


def told(strategy: BayesianSearch, proposals: list[Proposal]) -> list[str]:
    """Evaluate and tell; returns keys."""
    metrics = [{**EVALUATOR.evaluate(p.arch, FULL_FIDELITY, 0), **cost(p.arch)} for p in proposals]
    assert all(found["cost"] <= 3.0 for found in metrics)
    strategy.tell([Trial(p, "ok", found) for p, found in zip(proposals, metrics, strict=True)])
    return [p.arch.key for p in proposals]


def test_a_search_keeps_its_bound_proposes_nothing_twice_and_knows_what_it_expected() -> None:
    strategy = bounded()
    keys, replaced = told(strategy, strategy.ask(6)), set()
    while len(keys) < 26:
        proposals = strategy.ask(2)
        replaced |= {arch.key for arch in strategy._instead.values()}
        assert all("predicted" in p.origin.details for p in proposals)
        keys += told(strategy, proposals)
    assert len(set(keys)) == len(keys)
    assert replaced & set(keys)  # some were evaluated in place of others
    assert "hit_rate" in strategy.records()


def test_a_search_that_is_continued_proposes_the_same() -> None:
    strategy, again = bounded(), bounded()
    told(strategy, strategy.ask(6))
    for _ in range(3):
        told(strategy, strategy.ask(2))
    again.load_state_dict(strategy.state_dict())
    for _ in range(2):
        proposals = strategy.ask(2)
        assert [p.arch.key for p in again.ask(2)] == told(strategy, proposals) == told(again, proposals)
