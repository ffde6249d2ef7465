from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture, GraphSchema, Population, Slot
from gennas.graph.schema import one_label


def make_schema(**changes: object) -> GraphSchema:
    """Nodes: in (fixed), b or c, out (fixed); edges 0-1 fixed present, 0-2 and 1-2 with two operations."""
    edge_mask = np.zeros((3, 3, 3), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[0, 1] = [False, True, False]
    edge_mask[0, 2] = True
    edge_mask[1, 2] = [False, True, True]
    settings: dict[str, object] = {
        "name": "tiny",
        "node_labels": ("a", "b", "c"),
        "edge_labels": ("none", "x", "y"),
        "node_mask": np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0]], dtype=bool),
        "edge_mask": edge_mask,
    }
    return GraphSchema(**(settings | changes))  # type: ignore[arg-type]


def test_decisions_are_the_free_slots_in_topological_order() -> None:
    schema = make_schema()
    assert schema.slots == (Slot(None, 1), Slot(0, 2), Slot(1, 2))
    assert [slot.is_node for slot in schema.slots] == [True, False, False]
    assert (schema.num_nodes, schema.num_decisions, schema.num_symbols) == (3, 3, 3)
    assert schema.decision_mask.tolist() == [[False, True, True], [True, True, True], [False, True, True]]


def test_decisions_scatter_into_graphs_and_back() -> None:
    schema = make_schema()
    X, E = schema.from_decisions(np.array([[2, 0, 1], [1, 2, 2]]))
    assert X.tolist() == [[0, 2, 0], [0, 1, 0]]
    assert E.tolist() == [[[0, 1, 0], [0, 0, 1], [0, 0, 0]], [[0, 1, 2], [0, 0, 2], [0, 0, 0]]]
    assert schema.to_decisions(X, E).tolist() == [[2, 0, 1], [1, 2, 2]]
    assert schema.allows(X, E).all()


@given(st.lists(st.tuples(st.integers(-2, 4), st.integers(-2, 4), st.integers(-2, 4)), min_size=1, max_size=8))
def test_allows_says_what_the_masks_say(rows: list[tuple[int, int, int]]) -> None:
    schema = make_schema()
    X, E = schema.from_decisions(np.array(rows))
    allowed = ({1, 2}, {0, 1, 2}, {1, 2})
    expected = [all(label in labels for label, labels in zip(row, allowed, strict=True)) for row in rows]
    assert schema.allows(X, E).tolist() == expected
    assert schema.to_decisions(X, E).tolist() == [list(row) for row in rows]


def test_fixed_slots_are_checked_too() -> None:
    schema = make_schema()
    X, E = schema.from_decisions(np.array([[2, 0, 1]] * 3))
    X[0, 0] = 1
    E[1, 2, 0] = 1
    assert schema.allows(X, E).tolist() == [False, False, True]


def test_labels_and_symbols() -> None:
    schema = make_schema()
    assert schema.label(0, 2) == "c" and schema.symbol(0, "c") == 2
    assert schema.label(2, 2) == "y" and schema.symbol(2, "y") == 2
    with pytest.raises(InvalidArchitectureError, match="decision 0 takes one of b, c; got 'a'"):
        schema.symbol(0, "a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node_labels": ("a", "b")}, r"expected node_mask \(3, 2\)"),
        ({"node_mask": np.zeros((3, 3), dtype=bool)}, "admits no label"),
        ({"edge_mask": np.ones((3, 3, 3), dtype=bool)}, "lower to higher"),
        ({"node_names": ("one", "two")}, "expected 3 node names, got 2"),
    ],
)
def test_inconsistent_schemas_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        make_schema(**changes)


def test_fingerprint_depends_on_labels_and_masks() -> None:
    schema = make_schema()
    assert schema.fingerprint == make_schema().fingerprint == pickle.loads(pickle.dumps(schema)).fingerprint
    assert schema.fingerprint != make_schema(name="other").fingerprint
    assert schema.fingerprint != make_schema(node_labels=("a", "c", "b")).fingerprint
    narrower = schema.edge_mask.copy()
    narrower[0, 2, 2] = False
    assert schema.fingerprint != make_schema(edge_mask=narrower).fingerprint


def test_fingerprint_depends_on_names_and_ordinals_and_keys_do_not() -> None:
    plain, named = make_schema(), make_schema(node_names=("in", "op", "out"), ordinals={"b": 3, "c": 5.0})
    assert plain.fingerprint == plain.structure == named.structure, "as in version 0.1"
    others = [
        make_schema(node_names=("in", "op", "end"), ordinals={"b": 3, "c": 5}),
        make_schema(node_names=("in", "op", "out"), ordinals={"b": 3, "c": 7}),
        make_schema(node_names=("in", "op", "out")),
        make_schema(ordinals={"b": 3, "c": 5}),
    ]
    assert len({schema.fingerprint for schema in (plain, named, *others)}) == 6
    again = make_schema(node_names=("in", "op", "out"), ordinals={"c": np.float64(5), "b": 3.0})
    assert again.fingerprint == named.fingerprint == pickle.loads(pickle.dumps(named)).fingerprint
    assert named.wrote(named.fingerprint) and named.wrote(named.structure) and not named.wrote(others[0].fingerprint)
    D = np.array([[2, 0, 1]])
    assert Population.from_decisions(named, D).keys == Population.from_decisions(plain, D).keys


def test_records_of_the_former_fingerprint_are_read() -> None:
    named, other = (make_schema(ordinals={"b": value}) for value in (3, 4))
    arch = Population.from_decisions(named, np.array([[2, 0, 1]]))[0]
    former = arch.to_json().replace(named.fingerprint, named.structure)
    assert Architecture.from_json(former, named) == Architecture.from_json(arch.to_json(), named) == arch
    with pytest.raises(InvalidArchitectureError, match="load it with its own space"):
        Architecture.from_json(arch.to_json(), other)


def test_masks_cannot_be_changed() -> None:
    mask = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0]], dtype=bool)
    schema = make_schema(node_mask=mask)
    mask[:] = False
    assert schema.node_mask[0, 0]
    with pytest.raises(ValueError, match="read-only"):
        schema.node_mask[0, 0] = False


def test_one_label_fixes_or_frees_slots() -> None:
    assert one_label(3, [0, -1, 1], 2).tolist() == [[True, False], [True, True], [False, True]]
