"""Architectures as networkx graphs and as torch-geometric data, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import InvalidArchitectureError
from gennas.graph.architecture import Architecture, Population
from gennas.graph.schema import GraphSchema

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["from_networkx", "from_pyg", "from_pyg_batch", "to_networkx", "to_pyg", "to_pyg_batch"]


def to_networkx(arch: Architecture) -> nx.DiGraph[int]:
    """A directed graph with every node slot and every edge that is present.

    Node ``v`` has the attribute ``label`` (and ``name`` where the schema names its slots), an edge
    the attribute ``label``; the graph's ``space`` is the schema's name.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> arch = NASBench201().from_text("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
        >>> to_networkx(arch).edges(data="label")
        OutEdgeDataView([(0, 3, 'nor_conv_3x3')])
    """
    import networkx as nx

    schema = arch.schema
    graph: nx.DiGraph[int] = nx.DiGraph(space=schema.name)
    for v, symbol in enumerate(arch.nodes):
        name = {"name": schema.node_names[v]} if schema.node_names else {}
        graph.add_node(v, label=schema.node_labels[symbol], **name)
    for u, v in np.argwhere(arch.edges).tolist():
        graph.add_edge(u, v, label=schema.edge_labels[arch.edges[u, v]])
    return graph


def from_networkx(graph: nx.DiGraph[int], schema: GraphSchema) -> Architecture:
    """Read a graph whose nodes are the slots ``0 … n-1`` with labels as :func:`to_networkx` writes them.

    Raises:
        InvalidArchitectureError: nodes are missing, a label is unknown, or a slot does not admit it.
    """
    n = schema.num_nodes
    if set(graph.nodes) != set(range(n)):
        raise InvalidArchitectureError(f"{schema.name}: expected nodes 0 to {n - 1}, got {list(graph.nodes)}.")
    nodes, edges = np.zeros(n, dtype=np.int16), np.zeros((n, n), dtype=np.int16)
    for v, label in graph.nodes(data="label"):
        nodes[v] = _symbol(schema, "node", label)
    for u, v, label in graph.edges(data="label"):
        edges[u, v] = _symbol(schema, "edge", label)
    return Architecture(schema, nodes, edges)


def _symbol(schema: GraphSchema, kind: str, label: object) -> int:
    labels = schema.node_labels if kind == "node" else schema.edge_labels
    if label not in labels:
        raise InvalidArchitectureError(
            f"{schema.name}: expected {kind} labels out of {', '.join(labels)}; got {label!r}."
        )
    return labels.index(str(label))


def to_pyg(arch: Architecture, one_hot: bool = False) -> Any:
    """A ``torch_geometric.data.Data`` of one architecture; see :func:`to_pyg_batch` for the fields."""
    from torch_geometric.data import Data

    return Data(**_tensors(Population.of(arch.schema, [arch]), one_hot))


def to_pyg_batch(population: Population, one_hot: bool = False) -> Any:
    """A ``torch_geometric.data.Batch`` of a whole population, without a loop over graphs.

    Shapes: ``x`` ``(b n,)`` node labels, or ``(b n, k)`` floats where ``one_hot``; ``edge_index``
    ``(2, e)`` of the edges that are present, by graph, source and target; ``edge_attr`` ``(e,)`` their
    labels (at least 1), or ``(e, l)`` floats; ``batch`` ``(b n,)`` the graph of every node; ``ptr``
    ``(b + 1,)`` the first node of every graph.
    """
    import torch
    from torch_geometric.data import Batch

    b, n = population.X.shape
    graph = torch.arange(b).repeat_interleave(n)
    return Batch(**_tensors(population, one_hot), batch=graph, ptr=torch.arange(b + 1) * n)


def _tensors(population: Population, one_hot: bool) -> dict[str, Any]:
    import torch

    schema, n = population.schema, population.X.shape[1]
    graph, source, target = np.nonzero(population.E)
    x = torch.from_numpy(population.X.reshape(-1).astype(np.int64))
    edge_attr = torch.from_numpy(population.E[graph, source, target].astype(np.int64))
    if one_hot:
        x = torch.nn.functional.one_hot(x, len(schema.node_labels)).float()
        edge_attr = torch.nn.functional.one_hot(edge_attr, len(schema.edge_labels)).float()
    edge_index = torch.from_numpy(np.stack([graph * n + source, graph * n + target]))
    return {"x": x, "edge_index": edge_index, "edge_attr": edge_attr, "num_nodes": len(x)}


def from_pyg(data: Any, schema: GraphSchema) -> Architecture:
    """Read one graph with the fields that :func:`to_pyg` writes.

    Raises:
        InvalidArchitectureError: as :func:`from_pyg_batch`, or there is not exactly one graph.
    """
    population = from_pyg_batch(data, schema)
    if len(population) != 1:
        raise InvalidArchitectureError(f"{schema.name}: expected one graph, got {len(population)}.")
    return population[0]


def from_pyg_batch(data: Any, schema: GraphSchema) -> Population:
    """Read graphs of ``n`` consecutive nodes each, with the fields that :func:`to_pyg_batch` writes.

    Raises:
        InvalidArchitectureError: the nodes do not make whole graphs, an edge joins two graphs, or
            a slot does not admit its label.
    """
    n = schema.num_nodes
    x, attributes = (t.argmax(-1) if t.dim() > 1 else t for t in (data.x, data.edge_attr))
    X = x.cpu().numpy().astype(np.int16)
    if len(X) % n:
        raise InvalidArchitectureError(f"{schema.name}: expected a multiple of {n} nodes, got {len(X)}.")
    X = X.reshape(-1, n)
    E = np.zeros((len(X), n, n), dtype=np.int16)
    (graph, source), (other, target) = (np.divmod(end, n) for end in data.edge_index.cpu().numpy())
    if (graph != other).any():
        raise InvalidArchitectureError(f"{schema.name}: an edge joins two different graphs.")
    E[graph, source, target] = attributes.cpu().numpy()
    wrong = np.flatnonzero(~schema.allows(X, E))
    if len(wrong):
        raise InvalidArchitectureError(f"{schema.name}: graph {wrong[0]} holds a label that its slot does not admit.")
    return Population(schema, X, E)
