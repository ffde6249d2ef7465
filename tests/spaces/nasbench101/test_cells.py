"""Cells as integers: codes, paths, packing and each edit, against plain loops and networkx."""

from __future__ import annotations

from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from gennas.spaces.nasbench101.cells import (
    EDGES,
    MAX_EDGES,
    NONE,
    OUTPUT,
    OUTPUT_LABEL,
    bypass,
    canonical_codes,
    cell_schema,
    decode,
    encode,
    insert,
    least,
    num_interior,
    on_path,
    pack,
    relabel,
    toggle,
    valid_adjacencies,
)


def graph_of(code: int) -> nx.DiGraph:
    """The cell of a code, vertices with their labels."""
    graph = nx.DiGraph()
    for v in range(7):
        graph.add_node(v, label=-1 if v in (0, OUTPUT) else code >> 2 * (5 - v) & 3)
    graph.add_edges_from(edge for bit, edge in enumerate(EDGES) if code >> 10 + bit & 1)
    return graph


def used(code: int) -> nx.DiGraph:
    """Without unused vertices, the ends marked."""
    graph = graph_of(code)
    graph.nodes[0]["label"], graph.nodes[OUTPUT]["label"] = -1, -2
    return graph.subgraph([v for v in graph if graph.nodes[v]["label"] != 3]).copy()


def random_codes(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(canonical_codes(), n, replace=False)


def test_published_number_of_cells() -> None:
    codes = canonical_codes()
    assert len(codes) == 423_624 and (np.diff(codes.astype(np.int64)) > 0).all()
    assert np.bincount(num_interior(codes)).tolist()[:3] == [1, 6, 84]
    edges = np.array([bin(code >> 10).count("1") for code in codes[:: len(codes) // 1000].tolist()])
    assert edges.max() <= MAX_EDGES
    with pytest.raises(ValueError, match="read-only"):
        codes[0] = 1


def test_the_smallest_codes_by_hand() -> None:
    """The edge 0 → 6 is bit 0 + 6 · 5 / 2 = 15; five unused vertices are 1,023."""
    assert canonical_codes()[np.flatnonzero(num_interior(canonical_codes()) == 0)].tolist() == [1 << 25 | 1023]
    one = canonical_codes()[num_interior(canonical_codes()) == 1]
    chain = 1 << 10 | 1 << 26  # 0 → 1 is bit 0, 1 → 6 is bit 16
    assert sorted(one.tolist()) == sorted(chain | extra | op << 8 | 255 for extra in (0, 1 << 25) for op in range(3))


def test_codes_are_decisions() -> None:
    codes = random_codes(300)
    D = decode(codes)
    assert (encode(D) == codes).all() and D.shape == (300, cell_schema().num_decisions) == (300, 26)
    X, E = cell_schema().from_decisions(D)
    for code, x, e in zip(codes[:40].tolist(), X, E, strict=False):
        graph = graph_of(code)
        assert {tuple(map(int, edge)) for edge in np.argwhere(e)} == set(graph.edges)
        assert [int(label) - 1 for label in x[1:6]] == [graph.nodes[v]["label"] for v in range(1, 6)]


def test_used_vertices_are_counted() -> None:
    codes = random_codes(200, 1)
    expected = [sum(code >> 2 * i & 3 != 3 for i in range(5)) for code in codes.tolist()]
    assert num_interior(codes).tolist() == expected


def test_a_canonical_code_is_the_least_of_its_relabellings() -> None:
    for code in random_codes(25, 2).tolist():
        graph, m = used(code), int(num_interior(np.array([code], dtype=np.uint32))[0])
        found = []
        for order in permutations(range(1, m + 1)):
            to = {0: 0, OUTPUT: OUTPUT, **dict(zip(range(1, m + 1), order, strict=True))}
            if all(to[u] < to[v] for u, v in graph.edges):
                operations = 1023
                for v in range(1, m + 1):
                    shift = 2 * (5 - to[v])
                    operations = operations & ~(3 << shift) | graph.nodes[v]["label"] << shift
                found.append(sum(1 << EDGES.index((to[u], to[v])) for u, v in graph.edges) << 10 | operations)
        assert min(found) == code
        assert set(least(np.array(found, dtype=np.uint32)).tolist()) == {code}


def test_different_codes_are_different_graphs() -> None:
    codes = random_codes(60, 3)
    graphs = [used(code) for code in codes.tolist()]
    same = [
        (i, j)
        for i in range(60)
        for j in range(i)
        if nx.faster_could_be_isomorphic(graphs[i], graphs[j])
        and nx.is_isomorphic(graphs[i], graphs[j], node_match=lambda a, b: a == b)
    ]
    assert same == []


def test_valid_adjacencies_by_networkx() -> None:
    """Vertices 1 to m lie on paths from input to output, the others are alone, and nine edges are the most."""
    table, rng = valid_adjacencies(), np.random.default_rng(4)
    valid = np.flatnonzero(table >= 0)
    for a in [*rng.choice(valid, 150).tolist(), *rng.integers(1 << 21, size=400).tolist()]:
        graph = graph_of(a << 10)
        down, up = nx.descendants(graph, 0) | {0}, nx.ancestors(graph, OUTPUT) | {OUTPUT}
        touched = {v for edge in graph.edges for v in edge}
        m = len(touched) - 2
        is_valid = touched == down & up == {0, OUTPUT, *range(1, m + 1)} and len(graph.edges) <= MAX_EDGES
        assert table[a] == (m if is_valid else -1)


@pytest.mark.parametrize("v", [2, 5, 7, 9])
def test_paths_against_networkx(v: int) -> None:
    rng = np.random.default_rng(v)
    edges = np.triu(rng.random((60, v, v)) < 0.35, 1)
    found = on_path(edges)
    for e, row in zip(edges, found, strict=True):
        graph = nx.from_numpy_array(e.astype(int), create_using=nx.DiGraph)
        down, up = nx.descendants(graph, 0) | {0}, nx.ancestors(graph, v - 1) | {v - 1}
        assert {i for i in range(v) if row[i]} == {i for i in range(v) if i in down and i in up}


def test_packing_drops_and_moves_up() -> None:
    """Of eight vertices the kept 2, 4 and 6 come to slots 1, 2 and 3."""
    edges = np.zeros((1, 8, 8), dtype=int)
    for u, v in [(0, 2), (2, 4), (4, 6), (6, 7), (0, 7), (1, 2), (4, 5)]:
        edges[0, u, v] = 1
    keep = np.array([[True, False, True, False, True, False, True, True]])
    X, E = pack(np.array([[1, 2, 3, 1, 2, 3]]), edges, keep)
    assert X.tolist() == [[0, 2, 1, 3, NONE, NONE, OUTPUT_LABEL]]
    assert np.argwhere(E[0]).tolist() == [[0, 1], [0, 6], [1, 2], [2, 3], [3, 6]]


def test_packing_small_graphs() -> None:
    """An edge alone, and a vertex that is dropped with its edges."""
    X, E = pack(np.zeros((1, 0), dtype=int), np.array([[[0, 1], [0, 0]]]), np.ones((1, 2), dtype=bool))
    assert X.tolist() == [[0, NONE, NONE, NONE, NONE, NONE, OUTPUT_LABEL]] and np.argwhere(E[0]).tolist() == [[0, 6]]
    edges = np.array([[[0, 1, 1], [0, 0, 1], [0, 0, 0]]])
    X, E = pack(np.array([[2]]), edges, np.array([[True, False, True]]))
    assert X[0, 1] == NONE and np.argwhere(E[0]).tolist() == [[0, 6]]


# ---------------------------------------------------------------------- edits


def chain() -> tuple[np.ndarray, np.ndarray]:
    """0 → 1 → 2 → 6 with labels 1 and 2."""
    X, E = np.array([[0, 1, 2, NONE, NONE, NONE, OUTPUT_LABEL]], dtype=np.int16), np.zeros((1, 7, 7), dtype=np.int16)
    E[0, [0, 1, 2], [1, 2, 6]] = 1
    return X, E


def edited(edit, u: int = 0, v: int = 0, op: int = 0, cut: int = 0) -> tuple[list[int], list[list[int]]]:
    X, E = chain()
    edit(X, E, *(np.array([value]) for value in (u, v, op, cut)))
    return X[0, 1:6].tolist(), np.argwhere(E[0]).tolist()


def test_relabelling() -> None:
    edges = [[0, 1], [1, 2], [2, 6]]
    assert edited(relabel, v=2, op=3) == ([1, 3, NONE, NONE, NONE], edges)
    assert edited(relabel, v=3, op=3) == ([1, 2, NONE, NONE, NONE], edges)  # an unused vertex stays so
    assert edited(relabel, v=OUTPUT, op=3) == ([1, 2, NONE, NONE, NONE], edges)


def test_toggling() -> None:
    assert edited(toggle, 0, 2)[1] == [[0, 1], [0, 2], [1, 2], [2, 6]]
    assert edited(toggle, 1, 2)[1] == [[0, 1], [2, 6]]


@pytest.mark.parametrize(
    ("u", "v", "cut", "labels", "edges"),
    [
        (1, 2, 1, [1, 3, 2], [[0, 1], [1, 2], [2, 3], [3, 6]]),  # in the middle of an edge
        (1, 2, 0, [1, 3, 2], [[0, 1], [1, 2], [1, 3], [2, 3], [3, 6]]),  # beside it
        (2, 6, 1, [1, 2, 3], [[0, 1], [1, 2], [2, 3], [3, 6]]),  # before the output
        (0, 6, 0, [3, 1, 2], [[0, 1], [0, 2], [1, 6], [2, 3], [3, 6]]),  # a new path
    ],
)
def test_inserting(u: int, v: int, cut: int, labels: list[int], edges: list[list[int]]) -> None:
    assert edited(insert, u, v, 3, cut) == ([*labels, NONE, NONE], edges)


def test_a_full_cell_takes_no_more() -> None:
    X, E = chain()
    X[0, 1:6] = 1
    before = X.copy(), E.copy()
    insert(X, E, *(np.array([value]) for value in (1, 2, 3, 1)))
    assert (X == before[0]).all() and (E == before[1]).all()


def test_bypassing() -> None:
    assert edited(bypass, v=1)[1] == [[0, 2], [2, 6]]
    assert edited(bypass, v=2)[1] == [[0, 1], [1, 6]]
    assert edited(bypass, v=3)[1] == [[0, 1], [1, 2], [2, 6]]  # without edges there is nothing to join
    X, E = chain()
    E[0, 0, 2] = 1
    bypass(X, E, *(np.array([value]) for value in (0, 2, 0, 0)))
    assert np.argwhere(E[0]).tolist() == [[0, 1], [0, 2], [1, 2], [2, 6]]  # two inputs: it stays
