from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import GraphSchema
from gennas.models.llm import Decisions
from gennas.models.llm.alphabet import SYMBOLS
from gennas.spaces import SPACES

NAMES = ("nasbench201", "nasbench101", "macro-chain", "autoformer-tiny", "gpt", "gnn", "dpc")


def decisions_of(name: str) -> Decisions:
    space = SPACES.get(name)()
    return Decisions(space.schema, space.legal, space.completions)


@pytest.mark.parametrize("name", NAMES)
def test_text_and_number_lead_back(name: str, rng: np.random.Generator) -> None:
    decisions, D = decisions_of(name), SPACES.get(name)().sample(20, rng).decisions
    texts = decisions.write(D)
    assert all(len(text) == len(decisions) for text in texts)
    np.testing.assert_array_equal(np.concatenate([decisions.read(text) for text in texts]), D)
    np.testing.assert_array_equal(decisions.unrank(decisions.rank(D)), D)
    assert decisions.is_legal(D).all()


def test_ranks_are_all_numbers_in_the_order_of_the_texts() -> None:
    decisions = decisions_of("nasbench-macro")
    D = decisions.unrank(range(decisions.count()))
    texts = decisions.write(D)
    assert len(texts) == 3_969 and texts == sorted(set(texts))
    assert decisions.is_legal(D).all()


def test_more_than_62_options_get_letters_beyond_ascii() -> None:
    decisions = decisions_of("dpc")
    t = max(range(len(decisions)), key=lambda t: len(decisions.labels[t]))
    assert len(decisions.labels[t]) == 81
    assert decisions.symbols[t, decisions.labels[t][-1]] == SYMBOLS[80] == "Ò"


def test_what_is_not_legal_is_told(mixed: GraphSchema) -> None:
    space = SPACES.get("nasbench201")()
    decisions = Decisions(space.schema, space.legal)
    assert decisions.is_legal(np.array([[0, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, -1], [0, 0, 0, 0, 0, 4]])).tolist() == [
        False, False, True,
    ]  # fmt: skip
    with pytest.raises(InvalidArchitectureError, match=r"expected one of 01234 at place 2, got '7' in '07'"):
        decisions.read("07")
    with pytest.raises(InvalidArchitectureError, match="expected at most 6 symbols, got 7"):
        decisions.read("0000000")
    dead = Decisions(mixed, constraint=lambda D, t: np.zeros((len(D), 3), dtype=bool))
    with pytest.raises(InvalidArchitectureError, match=r"mixed: no label may follow the 1 decisions \[2\]"):
        dead.options(np.array([[2]]), 1)


def test_names(mixed: GraphSchema) -> None:
    decisions = Decisions(mixed)
    assert [decisions.name(t) for t in range(4)] == ["node 1", "edge 0 to 1", "edge 0 to 2", "edge 1 to 2"]
    assert decisions.option_names(np.zeros((1, 0), dtype=np.int16), 0) == ("a", "b")
    chain = decisions_of("macro-chain")
    assert chain.name(0) == "depth" and chain.name(1) == "layer1.op"


def test_a_space_whose_counts_are_proportional() -> None:
    with pytest.raises(ConfigError, match="darts: its counts are only proportional"):
        decisions_of("darts").unrank([5])


def test_counts_that_are_missing_or_proportional_have_no_numbers(mixed: GraphSchema) -> None:
    uncounted = Decisions(mixed)
    with pytest.raises(ConfigError, match="are not counted, so none has a number"):
        uncounted.count()
    assert uncounted.log_counts(np.zeros((1, 0), dtype=np.int16), 0).tolist() == [[-np.inf, 0, 0]]

    def proportional(D: np.ndarray, t: int) -> np.ndarray:
        return np.where(mixed.decision_mask[t], 10.0, 0.0)[None].repeat(len(D), 0)

    with pytest.raises(ConfigError, match="only proportional"):
        Decisions(mixed, completions=proportional).unrank([3])
    bound = Decisions(mixed, completions=proportional, constraint=lambda D, t: np.ones((len(D), 3), dtype=bool))
    assert not bound.counted


def test_too_many_options_are_refused() -> None:
    k = len(SYMBOLS) + 1
    nodes = np.zeros((2, k), dtype=bool)
    nodes[0, 0] = nodes[1] = True
    edges = np.ones((2, 2, 1), dtype=bool)
    schema = GraphSchema("wide", tuple(f"op{i}" for i in range(k)), ("none",), nodes, edges)
    with pytest.raises(ConfigError, match=f"at most {k - 1} options of a decision, got {k}"):
        Decisions(schema)


def test_the_nearest_legal_label() -> None:
    decisions = decisions_of("nasbench201")
    legal = np.array([True, False, False, True, True])
    assert [decisions.nearest(0, wish, legal) for wish in range(5)] == [0, 0, 3, 3, 4]
