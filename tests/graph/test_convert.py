from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.graph.convert import from_networkx, from_pyg, from_pyg_batch, to_networkx, to_pyg, to_pyg_batch
from gennas.spaces import MacroChain, NASBench201, Space

SPACES = [NASBench201(), MacroChain(max_depth=3)]
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"


@pytest.fixture
def cell() -> Architecture:
    return NASBench201().from_text(CELL)


def test_networkx_holds_names_of_labels(cell: Architecture) -> None:
    graph = to_networkx(cell)
    assert dict(graph.nodes(data="label")) == {0: "input", 1: "sum", 2: "sum", 3: "output"}
    assert list(graph.edges(data="label")) == [
        (0, 1, "nor_conv_3x3"),
        (0, 3, "nor_conv_1x1"),
        (1, 2, "skip_connect"),
        (2, 3, "avg_pool_3x3"),
    ]
    assert graph.graph["space"] == "nasbench201"
    chain = MacroChain().sample(1, np.random.default_rng(0))[0]
    assert to_networkx(chain).nodes[2]["name"] == "layer1.kernel"


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_networkx_round_trip(space: Space, rng: np.random.Generator) -> None:
    for arch in space.sample(20, rng):
        assert from_networkx(to_networkx(arch), space.schema) == arch


def test_networkx_graphs_that_do_not_fit_are_refused(cell: Architecture) -> None:
    schema = cell.schema
    graph = to_networkx(cell)
    graph.add_edge(3, 0, label="skip_connect")
    with pytest.raises(InvalidArchitectureError, match="do not allow"):
        from_networkx(graph, schema)
    graph = to_networkx(cell)
    graph.edges[0, 1]["label"] = "conv_9x9"
    with pytest.raises(InvalidArchitectureError, match="got 'conv_9x9'"):
        from_networkx(graph, schema)
    with pytest.raises(InvalidArchitectureError, match="expected nodes 0 to 3"):
        from_networkx(nx.path_graph(3, create_using=nx.DiGraph), schema)


def test_pyg_fields(cell: Architecture) -> None:
    data = to_pyg(cell)
    assert data.x.tolist() == [0, 1, 1, 2]
    assert data.edge_index.tolist() == [[0, 0, 1, 2], [1, 3, 2, 3]]
    assert data.edge_attr.tolist() == [3, 2, 1, 4]
    hot = to_pyg(cell, one_hot=True)
    assert hot.x.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert hot.edge_attr.shape == (4, 5) and hot.edge_attr.argmax(1).tolist() == [3, 2, 1, 4]


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_batch_equals_single_graphs_collated(space: Space, one_hot: bool, rng: np.random.Generator) -> None:
    population = space.sample(10, rng)
    batch = to_pyg_batch(population, one_hot)
    collated = Batch.from_data_list([to_pyg(arch, one_hot) for arch in population])
    for field in ("x", "edge_index", "edge_attr", "batch", "ptr"):
        assert torch.equal(batch[field], collated[field]), field
    assert batch.num_graphs == 10 and batch.num_nodes == collated.num_nodes


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_pyg_round_trip(space: Space, one_hot: bool, rng: np.random.Generator) -> None:
    population = space.sample(20, rng)
    again = from_pyg_batch(to_pyg_batch(population, one_hot), space.schema)
    assert again.keys == population.keys
    assert from_pyg(to_pyg(population[0], one_hot), space.schema) == population[0]


def test_empty_population_and_cells_without_edges() -> None:
    space = NASBench201()
    nothing = Population.of(space.schema, [])
    assert len(from_pyg_batch(to_pyg_batch(nothing), space.schema)) == 0
    empty = space.architecture([0] * 6)
    assert from_pyg(to_pyg(empty), space.schema) == empty


def test_pyg_graphs_that_do_not_fit_are_refused(cell: Architecture) -> None:
    schema = cell.schema
    pair = to_pyg_batch(Population.of(schema, [cell, cell]))
    with pytest.raises(InvalidArchitectureError, match="expected one graph, got 2"):
        from_pyg(pair, schema)
    pair.edge_index[1, 0] = 5
    with pytest.raises(InvalidArchitectureError, match="joins two different graphs"):
        from_pyg_batch(pair, schema)
    data = to_pyg(cell)
    data.x = data.x[:3]
    with pytest.raises(InvalidArchitectureError, match="multiple of 4 nodes, got 3"):
        from_pyg(data, schema)
    data = to_pyg(cell)
    data.x[0] = 2
    with pytest.raises(InvalidArchitectureError, match="graph 0 holds a label"):
        from_pyg(data, schema)
