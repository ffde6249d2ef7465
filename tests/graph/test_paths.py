"""Path arithmetic against the enumeration of paths by networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gennas.graph.paths import ends, free_labels, longest_from, paths_by_length, paths_from, paths_through, reverse
from gennas.graph.schema import GraphSchema
from gennas.spaces import MacroChain, NASBench101, NASBench201

DIAMOND = np.zeros((4, 4), dtype=bool)  # 0 to 3 by 1, by 2, by both, and directly
DIAMOND[[0, 0, 0, 1, 1, 2], [1, 2, 3, 2, 3, 3]] = True


def graphs(n: int) -> st.SearchStrategy[NDArray[np.bool_]]:
    bits = st.lists(st.booleans(), min_size=n * n, max_size=n * n)
    return bits.map(lambda b: np.triu(np.array(b).reshape(n, n), 1))


def walks(A: NDArray[np.bool_], source: int, target: int) -> list[list[int]]:
    """Every path as its nodes."""
    graph = nx.from_numpy_array(A.astype(int), create_using=nx.DiGraph)
    return [[source]] if source == target else list(nx.all_simple_paths(graph, source, target))


def test_the_diamond_by_hand() -> None:
    first = np.array([True, False, False, False])
    assert paths_from(first, DIAMOND).tolist() == [1, 1, 2, 4]
    assert paths_by_length(DIAMOND).tolist() == [1, 2, 1]
    assert longest_from(first, DIAMOND, np.ones((4, 4))).tolist() == [0, 1, 2, 3]
    assert (reverse(DIAMOND) == DIAMOND).all()


@settings(max_examples=60, deadline=None)
@given(graphs(5))
def test_counts_agree_with_enumeration(A: NDArray[np.bool_]) -> None:
    first = np.eye(1, 5, dtype=bool)[0]
    assert paths_from(first, A).tolist() == [len(walks(A, 0, v)) for v in range(5)]
    lengths = [len(walk) - 1 for walk in walks(A, 0, 4)]
    assert paths_by_length(A).tolist() == [lengths.count(m) for m in range(1, 5)]


@settings(max_examples=60, deadline=None)
@given(graphs(5), st.integers(0, 10**6))
def test_the_longest_path_is_the_best_of_all(A: NDArray[np.bool_], seed: int) -> None:
    gain = np.random.default_rng(seed).integers(-3, 4, (5, 5)).astype(float)
    starts = np.array([True, True, False, False, False])
    expected = [
        max(
            (sum(gain[u, w] for u, w in nx.utils.pairwise(walk)) for s in (0, 1) for walk in walks(A, s, v)),
            default=-np.inf,
        )
        for v in range(5)
    ]
    assert longest_from(starts, A, gain).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(graphs(5))
def test_turning_round_swaps_where_paths_begin_and_end(A: NDArray[np.bool_]) -> None:
    turned = reverse(A)
    assert (reverse(turned) == A).all() and not np.tril(turned).any()
    assert [len(walks(turned, 0, v)) for v in range(5)] == [len(walks(A, 4 - v, 4)) for v in range(5)]


def test_batches_are_their_rows() -> None:
    A = np.triu(np.random.default_rng(0).random((2, 3, 6, 6)) < 0.5, 1)
    first = np.eye(1, 6, dtype=bool)[0]
    for i, j in np.ndindex(2, 3):
        assert (paths_from(first, A)[i, j] == paths_from(first, A[i, j])).all()
        assert (paths_by_length(A)[i, j] == paths_by_length(A[i, j])).all()
        assert (longest_from(first, A, A)[i, j] == longest_from(first, A[i, j], A[i, j])).all()


def test_paths_through_nodes_and_edges_by_enumeration() -> None:
    space = NASBench101()
    population = space.sample(20, np.random.default_rng(0))
    A = population.E > 0
    nodes, edges = paths_through(space.schema, A)
    for graph, by_node, by_edge in zip(A, nodes, edges, strict=True):
        all_walks = walks(graph, 0, len(graph) - 1)
        assert by_node.tolist() == [sum(v in walk for walk in all_walks) for v in range(len(graph))]
        for u, v in zip(*np.nonzero(graph), strict=True):
            assert by_edge[u, v] == sum((u, v) in list(nx.utils.pairwise(walk)) for walk in all_walks)
        assert by_edge[~graph].sum() == 0


@pytest.mark.parametrize("space", [NASBench101(), NASBench201(), MacroChain()], ids=lambda s: s.name)
def test_there_is_one_input_and_one_output(space) -> None:
    sources, sinks = ends(space.schema)
    assert np.flatnonzero(sources).tolist() == [0]
    assert np.flatnonzero(sinks).tolist() == [len(sinks) - 1]


def test_free_labels_are_those_of_slots_with_a_choice() -> None:
    nodes, edges = np.zeros((3, 4), dtype=bool), np.zeros((3, 3, 3), dtype=bool)
    nodes[[0, 1, 1, 2], [0, 1, 2, 3]] = True  # only the middle slot chooses, between labels 1 and 2
    edges[..., 0] = True
    edges[0, 1, 0], edges[0, 1, 1] = False, True  # a fixed edge
    edges[1, 2, 2] = True  # one that may be absent
    assert free_labels(GraphSchema("toy", ("i", "a", "b", "o"), ("none", "x", "y"), nodes, edges)) == ([1, 2], [2])
