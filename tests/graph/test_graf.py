from __future__ import annotations

from itertools import chain, combinations, pairwise

import networkx as nx
import numpy as np

from gennas.graph import GraphSchema, Population
from gennas.graph.convert import to_networkx
from gennas.graph.graf import graf_features, label_subsets
from gennas.spaces import MacroChain, NASBench101, NASBench201


def features_of(population: Population) -> list[dict[str, float]]:
    values, names = graf_features(population)
    assert values.shape == (len(population), len(names)) and len(set(names)) == len(names)
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


def powerset(labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(labels, r) for r in range(1, len(labels) + 1)))


def lengths(paths: list[list[int]]) -> tuple[float, int, int]:
    long = [len(p) - 1 for p in paths]
    return float(np.log1p(len(paths))), min(long, default=0), max(long, default=0)


def test_operations_on_edges_agree_with_networkx(rng: np.random.Generator) -> None:
    population = NASBench201().sample(25, rng)
    for arch, found in zip(population, features_of(population), strict=True):
        graph = to_networkx(arch)
        label = nx.get_edge_attributes(graph, "label")
        every = list(nx.all_simple_paths(graph, 0, 3))
        live = {e for p in every for e in pairwise(p)}
        for subset in powerset(arch.schema.edge_labels[1:]):
            name = "+".join(subset)
            inside = {e for e in live if label[e] in subset}
            pure = [p for p in every if all(e in inside for e in pairwise(p))]
            assert found[f"count:{name}"] == len(inside)
            assert (found[f"paths:{name}"], found[f"shortest:{name}"], found[f"longest:{name}"]) == lengths(pure)
            most = max((sum(e in inside for e in pairwise(p)) for p in every), default=0)
            assert found[f"most:{name}"] == most
            assert found[f"out:{name}"] == sum(u == 0 for u, _ in inside)
            assert found[f"in:{name}"] == sum(v == 3 for _, v in inside)


def test_operations_on_nodes_agree_with_networkx(rng: np.random.Generator) -> None:
    population = NASBench101().sample(25, rng)
    operations = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
    for arch, found in zip(population, features_of(population), strict=True):
        graph = to_networkx(arch)
        label = nx.get_node_attributes(graph, "label")
        every = list(nx.all_simple_paths(graph, 0, 6))
        for subset in powerset(operations):
            ordered = [o for o in arch.schema.node_labels if o in subset]
            name = "+".join(ordered)
            inside = {v for v in graph if label[v] in subset}
            pure = [p for p in every if set(p[1:-1]) <= inside]
            assert found[f"count:{name}"] == len(inside)
            assert (found[f"paths:{name}"], found[f"shortest:{name}"], found[f"longest:{name}"]) == lengths(pure)
            assert found[f"most:{name}"] == max(len(set(p) & inside) for p in every)
            assert found[f"out:{name}"] == sum(v in inside for v in graph.successors(0))
            assert found[f"in:{name}"] == sum(v in inside for v in graph.predecessors(6))
            for way, degree in (("in", graph.in_degree), ("out", graph.out_degree)):
                mean = np.mean([degree(v) for v in inside]) if inside else 0.0
                np.testing.assert_allclose(found[f"{way}-mean:{name}"], mean)


def test_what_lies_on_no_path_does_not_count() -> None:
    space = NASBench201()
    dead, clean = (
        space.from_text(f"|nor_conv_3x3~0|+|{op}~0|none~1|+|avg_pool_3x3~0|skip_connect~1|none~2|")
        for op in ("nor_conv_1x1", "none")
    )
    values, _ = graf_features(Population.of(space.schema, [dead, clean]))
    assert (values[0] == values[1]).all() and values[0].any()


def test_several_inputs_and_outputs() -> None:
    """0 -> 2 and 1 -> 3: no edge may enter 0 or 1, none may leave 2 or 3."""
    edge_mask = np.zeros((4, 4, 3), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[[0, 1], [2, 3], 1:] = True
    schema = GraphSchema("two", ("node",), ("none", "x", "y"), np.ones((4, 1), dtype=bool), edge_mask)
    (found,) = features_of(Population.from_decisions(schema, np.array([[1, 2]])))
    assert (found["count:x"], found["count:x+y"], found["in:y"], found["out:x+y"]) == (1, 2, 1, 2)
    assert np.expm1(found["paths:x+y"]).round(6) == 2


def test_one_topology_gives_counts_of_single_operations() -> None:
    space = MacroChain(max_depth=3)
    (found,) = features_of(Population.of(space.schema, [space.from_text("conv3x3-w16-s1/inverted5x5-w64-s2")]))
    assert found["count:conv"] == found["count:inverted"] == 1 and not any("+" in name for name in found)


def test_subsets_of_many_labels_are_few() -> None:
    subsets = label_subsets(range(8))
    assert len(subsets) == len(set(subsets)) == 8 + 28 + 8 + 1
    assert len(label_subsets(range(5))) == 31
