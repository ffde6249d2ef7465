from __future__ import annotations

import numpy as np

from gennas.graph import GraphSchema, Population, decision_labels, slot_name
from gennas.spaces import MacroChain, NASBench101, NASBench201


def test_slots_are_named_as_the_schema_names_them() -> None:
    assert slot_name(NASBench201().schema, 1) == "edge 0-2"
    assert slot_name(NASBench101().schema, 0) == "node 1"
    assert slot_name(MacroChain().schema, 1) == "layer1.op"


def test_labels_of_a_cell_and_of_a_chain() -> None:
    cells, chains = NASBench201(), MacroChain()
    arch = cells.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|")
    assert {name: labels[0] for name, labels in decision_labels(cells.schema, [arch]).items()} == {
        "edge 0-1": "nor_conv_3x3", "edge 0-2": "none", "edge 1-2": "skip_connect",
        "edge 0-3": "nor_conv_1x1", "edge 1-3": "none", "edge 2-3": "avg_pool_3x3",
    }  # fmt: skip
    found = decision_labels(chains.schema, list(chains.sample(4, np.random.default_rng(0))))
    assert list(found)[:3] == ["depth", "layer1.op", "layer1.kernel"]
    assert set(found["layer1.op"]) <= {"conv", "separable", "inverted"}


def test_decisions_of_equal_names_are_all_there() -> None:
    schema = GraphSchema("twins", ("a", "b"), ("none",), np.ones((2, 2), bool), np.ones((2, 2, 1), bool), ("op", "op"))
    archs = Population.from_decisions(schema, np.array([[0, 1]]))
    assert decision_labels(schema, list(archs)) == {"op": ["a"], "op (1)": ["b"]}
