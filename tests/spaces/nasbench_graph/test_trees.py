"""Trees as integers: shapes against networkx, codes and what is redundant."""

from __future__ import annotations

from collections import Counter
from itertools import permutations, product

import networkx as nx
import numpy as np
import pytest

from gennas.spaces.nasbench_graph.trees import (
    OPERATIONS,
    SHAPES,
    SKIP,
    canonical_codes,
    canonical_table,
    move_skips,
    pack,
    unpack,
)

FC, GCN, GAT = (OPERATIONS.index(o) for o in ("fc", "gcn", "gat"))


def tree(links: tuple[int, ...], operations: tuple[int, ...] = (0, 0, 0, 0)) -> nx.DiGraph:
    """From the input 0 downwards."""
    graph = nx.DiGraph()
    graph.add_node(0, op=-1)
    for node, (parent, operation) in enumerate(zip(links, operations, strict=True), start=1):
        graph.add_node(node, op=operation)
        graph.add_edge(parent, node)
    return graph


def equal(a: nx.DiGraph, b: nx.DiGraph) -> bool:
    return nx.is_isomorphic(a, b, node_match=lambda x, y: x["op"] == y["op"])


ALL_LINKS = [p for p in product(range(5), repeat=4) if nx.is_arborescence(tree(p)) and 0 in p]


def test_there_are_125_labelled_and_nine_rooted_trees() -> None:
    """Cayley: 5^3 labelled trees with a root; nine rooted trees of five nodes (OEIS A000081)."""
    assert len(ALL_LINKS) == 5**3
    assert len(SHAPES) == len(set(SHAPES)) == 9
    kinds: list[nx.DiGraph] = []
    for links in ALL_LINKS:
        if not any(equal(tree(links), kind) for kind in kinds):
            kinds.append(tree(links))
    assert len(kinds) == 9


@pytest.mark.parametrize("shape", range(9))
def test_all_numberings_of_a_shape_have_its_number(shape: int) -> None:
    found, _ = unpack(pack(np.array(ALL_LINKS), np.zeros((125, 4), dtype=int)))
    mine = [links for links, number in zip(ALL_LINKS, found, strict=True) if number == shape]
    assert all(equal(tree(links), tree(SHAPES[shape])) for links in mine)
    edges = {(parent, node) for node, parent in enumerate(SHAPES[shape], start=1)}
    moved = [(0, *order) for order in permutations(range(1, 5))]
    symmetries = sum({(to[u], to[v]) for u, v in edges} == edges for to in moved)
    assert len(mine) * symmetries == 24


def test_a_shape_is_its_least_numbering_with_parents_first() -> None:
    for links in SHAPES:
        assert all(parent < node for node, parent in enumerate(links, start=1))
        equals = [other for other in ALL_LINKS if equal(tree(other), tree(links))]
        assert links == min(other for other in equals if all(p < n for n, p in enumerate(other, start=1)))


@pytest.mark.parametrize("links", [(1, 0, 0, 0), (2, 1, 0, 0), (2, 3, 1, 0), (4, 0, 0, 1)])
def test_cycles_have_no_code(links: tuple[int, ...]) -> None:
    assert pack(np.array([links]), np.zeros((1, 4), dtype=int)).tolist() == [-1]


def test_codes_by_hand() -> None:
    links, operations = np.array([[0, 0, 0, 0], [0, 1, 2, 3], [3, 0, 2, 1]]), np.array([[0, 0, 0, 1]] * 3)
    # a chain whose nodes are numbered 2, 3, 1, 4: operations 0, 0, 0, 1 from the top
    codes = pack(links, operations)
    assert codes[1:].tolist() == [8 * 9**4 + 1, 8 * 9**4 + 1]
    assert canonical_table()[codes].tolist() == [1, 8 * 9**4 + 1, 8 * 9**4 + 1]  # leaves of a star are sorted
    shape, found = unpack(np.array([8 * 9**4 + 1, 3 * 9**4 + 2 * 9**3 + 8]))
    assert shape.tolist() == [8, 3] and found.tolist() == [[0, 0, 0, 1], [2, 0, 0, 8]]


def test_codes_are_read_back() -> None:
    codes = np.random.default_rng(0).integers(len(SHAPES) * 9**4, size=500)
    shape, operations = unpack(codes)
    repacked = pack(np.array(SHAPES)[shape], operations)
    for code, again in zip(codes.tolist(), repacked.tolist(), strict=True):
        a, b = (tree(SHAPES[c // 9**4], tuple(unpack(np.array([c]))[1][0])) for c in (code, again))
        assert equal(a, b)


def test_the_table_is_idempotent_and_counts_26206() -> None:
    table = canonical_table()
    kept = table[table >= 0]
    assert len(table) == 9 * 9**4 and (table[kept] == kept).all() and (kept <= len(table)).all()
    assert len(np.unique(kept)) == 26_206
    skips = SKIP * (9**3 + 9**2 + 9 + 1)
    assert np.flatnonzero(table < 0).tolist() == [s * 9**4 + skips for s in range(9)]
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_without_skips_equal_codes_are_isomorphic_trees() -> None:
    """Operations 0 and 1 only: 9 · 16 codes; networkx finds as many classes, and the same ones."""
    codes = [
        s * 9**4 + int(np.array(ops) @ 9 ** np.arange(3, -1, -1)) for s in range(9) for ops in product((0, 1), repeat=4)
    ]
    groups = Counter(canonical_table()[codes].tolist())
    graphs = {c: tree(SHAPES[c // 9**4], tuple(unpack(np.array([c]))[1][0])) for c in groups}
    for code in codes:
        graph = tree(SHAPES[code // 9**4], tuple(unpack(np.array([code]))[1][0]))
        assert [c for c, other in graphs.items() if equal(graph, other)] == [canonical_table()[code]]


def test_trees_of_two_operations_by_shape() -> None:
    """As many as there are trees whose children, sorted, differ; one operation gives a tree per shape."""
    assert len(canonical_codes(("gcn",))) == 9
    found = np.bincount(canonical_codes(("gcn", "fc")) // 9**4).tolist()
    assert found == [len({sorted_form(links, ops) for ops in product((0, 1), repeat=4)}) for links in SHAPES]
    assert found[0] == 5 and found[8] == 16  # a star counts its operations, a chain has them all


def test_all_operations_give_all_codes() -> None:
    codes = canonical_codes(OPERATIONS)
    assert len(codes) == 26_206 and (np.diff(codes) > 0).all()


def sorted_form(links: tuple[int, ...], operations: tuple[int, ...], node: int = 0) -> tuple:
    """A form of the tree below a node that does not depend on the order of children."""
    children = [i for i, parent in enumerate(links, start=1) if parent == node]
    label = operations[node - 1] if node else -1
    return label, tuple(sorted(sorted_form(links, operations, child) for child in children))


@pytest.mark.parametrize(
    ("links", "operations", "expected_links", "expected_operations"),
    [
        # a chain: the skip in the middle goes to the front
        ((0, 1, 2, 3), (GCN, SKIP, GAT, FC), (0, 1, 2, 3), (SKIP, GCN, GAT, FC)),
        # a leaf with a sibling hands on hidden features: it stays
        ((0, 1, 1, 2), (GCN, GAT, SKIP, FC), (0, 1, 1, 2), (GCN, GAT, SKIP, FC)),
        # nothing to do without skips
        ((0, 0, 1, 2), (GCN, GAT, FC, FC), (0, 0, 1, 2), (GCN, GAT, FC, FC)),
    ],
)
def test_redundant_skips_move_to_the_front(
    links: tuple[int, ...],
    operations: tuple[int, ...],
    expected_links: tuple[int, ...],
    expected_operations: tuple[int, ...],
) -> None:
    found = move_skips(np.array([links]), np.array([operations]))
    a, b = (tree(tuple(found[0][0]), tuple(found[1][0])), tree(expected_links, expected_operations))
    assert equal(a, b)


def test_moving_skips_keeps_the_operations() -> None:
    rng = np.random.default_rng(1)
    links = np.array(ALL_LINKS)[rng.integers(125, size=300)]
    operations = rng.choice([SKIP, SKIP, GCN, FC], size=(300, 4))
    moved_links, moved = move_skips(links, operations)
    assert (np.sort(moved, axis=1) == np.sort(operations, axis=1)).all()
    assert (pack(moved_links, moved) >= 0).all()
