from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from gennas.graph import Architecture, GraphSchema, Population
from gennas.graph.convert import to_networkx
from gennas.graph.features import decision_one_hot, graph_features, path_bag, subtree_bag
from gennas.spaces import MacroChain, NASBench201


def node_space(n: int = 6) -> GraphSchema:
    """Two operations on the interior nodes, plain edges wherever they may be."""
    node_mask = np.zeros((n, 4), dtype=bool)
    node_mask[0, 0] = node_mask[-1, 3] = True
    node_mask[1:-1, 1:3] = True
    edge_mask = np.zeros((n, n, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(n, 1)] = True
    return GraphSchema("nodes", ("in", "conv", "pool", "out"), ("none", "edge"), node_mask, edge_mask)


def random_population(schema: GraphSchema, b: int, rng: np.random.Generator) -> Population:
    mask = schema.decision_mask
    D = np.argmax(np.where(mask, rng.random((b, *mask.shape)), -1), axis=2)
    return Population.from_decisions(schema, D)


def features_of(population: Population) -> list[dict[str, float]]:
    values, names = graph_features(population)
    assert values.shape == (len(population), len(names)) and len(set(names)) == len(names)
    assert np.isfinite(values).all()
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


def paths(graph: nx.DiGraph, output: int) -> list[list[int]]:
    return list(nx.all_simple_paths(graph, 0, output))


def test_names_depend_on_the_schema_only(rng: np.random.Generator) -> None:
    schema = node_space()
    one, many = random_population(schema, 1, rng), random_population(schema, 20, rng)
    assert graph_features(one)[1] == graph_features(many)[1]
    np.testing.assert_array_equal(graph_features(many)[0][3], graph_features(many[np.array([3])])[0][0])


def test_node_labelled_graphs_agree_with_networkx(rng: np.random.Generator) -> None:
    population = random_population(node_space(), 60, rng)
    for arch, found in zip(population, features_of(population), strict=True):
        graph = to_networkx(arch)
        label = nx.get_node_attributes(graph, "label")
        every = paths(graph, 5)
        for m in range(1, 6):
            assert found[f"paths:length={m}"] == sum(len(p) == m + 1 for p in every)
        for op in ("conv", "pool"):
            pure = [p for p in every if all(label[v] == op for v in p[1:-1])]
            assert found[f"count:{op}"] == sum(value == op for value in label.values())
            assert found[f"paths:{op}"] == len(pure)
            assert found[f"shortest:{op}"] == min((len(p) - 1 for p in pure), default=0)
            assert found[f"most:{op}"] == max((sum(label[v] == op for v in p) for p in every), default=0)
            nodes = [v for v in graph if label[v] == op]
            mean_in = np.mean([graph.in_degree(v) for v in nodes]) if nodes else 0
            mean_out = np.mean([graph.out_degree(v) for v in nodes]) if nodes else 0
            assert found[f"in-degree:{op}"] == pytest.approx(mean_in)
            assert found[f"out-degree:{op}"] == pytest.approx(mean_out)
        assert found["edges"] == graph.number_of_edges()
        assert found["depth"] == max((len(p) - 1 for p in every), default=0)


def test_edge_labelled_graphs_agree_with_networkx(rng: np.random.Generator) -> None:
    population = NASBench201().sample(60, rng)
    for arch, found in zip(population, features_of(population), strict=True):
        graph = to_networkx(arch)
        label = nx.get_edge_attributes(graph, "label")
        every = [list(pairwise(p)) for p in paths(graph, 3)]
        for op in arch.schema.edge_labels[1:]:
            pure = [p for p in every if all(label[e] == op for e in p)]
            assert found[f"count:{op}"] == sum(value == op for value in label.values())
            assert found[f"paths:{op}"] == len(pure)
            assert found[f"shortest:{op}"] == min((len(p) for p in pure), default=0)
            assert found[f"most:{op}"] == max((sum(label[e] == op for e in p) for p in every), default=0)
            into = [sum(label[e] == op for e in graph.in_edges(v)) for v in range(4)]
            out = [sum(label[e] == op for e in graph.out_edges(v)) for v in range(4)]
            assert found[f"in-degree:{op}:output"] == into[3]
            assert found[f"in-degree:{op}:max"] == max(into)
            assert found[f"out-degree:{op}:input"] == out[0]
            assert found[f"out-degree:{op}:max"] == max(out)


def test_shape_of_a_known_graph() -> None:
    schema = node_space()
    edges = np.zeros((6, 6), dtype=int)
    # 0 -> 1 -> 3 -> 5 and 0 -> 2 -> 3; node 4 hangs off the input and leads nowhere.
    edges[[0, 1, 3, 0, 2, 0], [1, 3, 5, 2, 3, 4]] = 1
    arch = Architecture(schema, np.array([0, 1, 2, 1, 2, 3]), edges)
    (found,) = features_of(Population.of(schema, [arch]))
    assert (found["edges"], found["depth"], found["width"]) == (6, 3, 2)
    assert (found["paths:length=3"], found["paths:conv"], found["most:conv"], found["most:pool"]) == (2, 1, 2, 1)


def test_fixed_topology_gives_counts_and_ordinals_only() -> None:
    space = MacroChain(max_depth=3)
    arch = space.from_text("conv3x3-w16-s1/inverted5x5-w64-s2")
    (found,) = features_of(Population.of(space.schema, [arch]))
    assert not any(name.startswith(("paths", "in-degree", "depth", "width")) for name in found)
    assert found["count:conv"] == 1 and found["count:off"] == 4
    assert (found["sum:depth"], found["sum:kernel"], found["mean:width"], found["sum:stride"]) == (2, 8, 40, 3)


def test_one_hot_decisions() -> None:
    space = MacroChain(max_depth=2, min_depth=1, kernels=(3,), widths=(4, 8), strides=(1,))
    population = Population.of(space.schema, [space.from_text("separable3x3-w8-s1")])
    # depth {1, 2}; layer 1: operation {3}, width {2}; layer 2: {3, off}, {k3, off}, {2, off}, {s1, off}
    expected = [1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]
    assert decision_one_hot(population).tolist() == [expected]


def test_one_hot_tells_all_architectures_apart(rng: np.random.Generator) -> None:
    population = NASBench201().sample(300, rng).unique()
    hot = decision_one_hot(population)
    assert hot.shape == (len(population), 30) and (hot.sum(axis=1) == 6).all()
    assert len(np.unique(hot, axis=0)) == len(population)


def test_bags_count_what_two_graphs_share() -> None:
    """Inner products of hashed bags are those of exact counts (buckets are plenty here)."""
    node_mask = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1], [1, 0, 0]], dtype=bool)
    edge_mask = np.zeros((4, 4, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(4, 1)] = True
    schema = GraphSchema("toy", ("end", "a", "b"), ("none", "edge"), node_mask, edge_mask)
    # Columns: node 1, 0->1, node 2, 0->2, 1->2, 0->3, 1->3, 2->3.
    D = [
        [1, 1, 2, 1, 0, 0, 1, 1],  # 0 -> a -> 3 and 0 -> b -> 3
        [2, 1, 1, 1, 0, 0, 1, 1],  # the same with the nodes swapped
        [1, 1, 1, 1, 0, 0, 1, 1],  # a twice
        [1, 1, 2, 0, 1, 0, 0, 1],  # 0 -> a -> b -> 3
    ]
    archs = Population.from_decisions(schema, np.array(D))
    paths = path_bag(archs, 4096)
    assert (paths @ paths.T).tolist() == [[2, 2, 2, 0], [2, 2, 2, 0], [2, 2, 4, 0], [0, 0, 0, 1]]
    labels = subtree_bag(archs, 0, 4096)  # two ends, then a and b
    assert (labels @ labels.T).tolist() == [[6, 6, 6, 6], [6, 6, 6, 6], [6, 6, 8, 6], [6, 6, 6, 6]]
    refined = subtree_bag(archs, 1, 4096) - labels
    # The a between two ends is common to graphs 0, 1 and (twice) 2; ends differ by what they touch.
    assert (refined @ refined.T).tolist() == [[4, 4, 2, 0], [4, 4, 2, 0], [2, 2, 6, 0], [0, 0, 0, 4]]
