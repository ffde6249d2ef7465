from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import InvalidArchitectureError
from gennas.models.llm import Decisions, grammar_of
from gennas.models.llm.audit import Relabelled
from gennas.spaces import SPACES


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "nasbench-graph"])
def test_texts_come_back_and_differ_by_seed(name: str) -> None:
    space = SPACES.get(name)()
    D = space.sample(30, np.random.default_rng(0)).decisions
    plain = Decisions(space.schema, space.legal, space.completions)
    written = set()
    for seed in range(4):
        hidden = Relabelled(plain, seed=seed)
        texts = hidden.write(D)
        assert np.array_equal(np.concatenate([hidden.read(text) for text in texts]), D)
        for t, labels in enumerate(hidden.labels):
            assert sorted(hidden.symbols[t, labels]) == sorted(plain.symbols[t, labels])
        written.add(texts[0])
    assert len(written) > 1


def test_a_grammar_of_shuffled_symbols_reads_what_was_written() -> None:
    space = SPACES.get("nasbench201")()
    hidden = Relabelled(Decisions(space.schema, space.legal, space.completions), seed=3)
    D = space.sample(20, np.random.default_rng(1)).decisions
    grammar = grammar_of(hidden)
    assert np.array_equal([grammar.read(text) for text in hidden.write(D)], D)


def test_neither_names_nor_their_order_are_shown() -> None:
    space = SPACES.get("nasbench201")()
    plain = Decisions(space.schema)
    shown = [Relabelled(plain, seed=seed).shown(0) for seed in range(20)]
    assert all(sorted(names.values()) == list("01234") for names in shown)
    assert len({tuple(names.values()) for names in shown}) > 10
    first = np.array([int(names[3]) for names in shown])
    assert len(set(first.tolist())) >= 4  # the third operation is any symbol
    hidden = Relabelled(plain, seed=1)
    assert all(hidden.shown(0) == hidden.shown(t) for t in range(6)) and hidden.name(3) == "decision 4"
    described = Relabelled(plain, {name: f"does {i}; well" for i, name in enumerate(space.schema.edge_labels)})
    assert described.shown(2)[1] == "does 1, well"


def test_texts_of_other_symbols_are_refused() -> None:
    hidden = Relabelled(Decisions(SPACES.get("nasbench201")().schema))
    for text in ("0000000", "00x", "5"):
        with pytest.raises(InvalidArchitectureError, match="symbols of 6 decisions"):
            hidden.read(text)
