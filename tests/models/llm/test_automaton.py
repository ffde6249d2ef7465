from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import GraphSchema
from gennas.models.llm import Decisions, GrammarTooLargeError, automaton
from gennas.spaces import SPACES


def decisions_of(name: str) -> Decisions:
    space = SPACES.get(name)()
    return Decisions(space.schema, space.legal, space.completions)


@pytest.mark.parametrize(("name", "states"), [("nasbench201", 6), ("transnas-micro", 6), ("nasbench-graph", 447)])
def test_it_holds_every_architecture_and_no_other(name: str, states: int) -> None:
    decisions = decisions_of(name)
    found = automaton(decisions)
    assert found.count() == decisions.count() and found.num_states == states


def test_it_is_the_least(mixed: GraphSchema) -> None:
    """After a ``b`` the next edge must be ``x``; nothing else depends on anything: 1 + 2 + 1 + 1 states."""

    def legal(D: np.ndarray, t: int) -> np.ndarray:
        mask = mixed.decision_mask[t][None].repeat(len(D), 0).copy()
        if t == 1:
            mask[D[:, 0] == 2] = [False, True, False]
        return mask

    found = automaton(Decisions(mixed, legal))
    assert [len(layer) for layer in found.layers] == [1, 2, 1, 1]
    assert found.count() == (3 + 1) * 9


def test_masks_alone_need_no_search(mixed: GraphSchema) -> None:
    assert automaton(Decisions(mixed), most=1).count() == 2 * 27


def test_too_many_beginnings_are_told_with_their_number() -> None:
    message = r"nasbench101: a grammar .* there are 309,532 beginnings of 19 of 26 decisions \(at most 262,144\)\. Ask"
    with pytest.raises(GrammarTooLargeError, match=message):
        automaton(decisions_of("nasbench101"))


def test_some_decisions_at_a_time() -> None:
    decisions = decisions_of("nasbench101")
    found = automaton(decisions, most=4096, whole=False)
    assert found.first == 0 and len(found.layers) == 11 and found.count() == 4000
    after = automaton(decisions, decisions.unrank([77_777])[:, :11], most=4096, whole=False)
    assert after.first == 11 and len(after.layers) > 1
    one = automaton(decisions, most=1, whole=False)
    assert len(one.layers) == 1 and one.count() == 4  # at least one decision, however many options
