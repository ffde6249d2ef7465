"""One graph whose nodes are labelled, or many graphs with one label each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, GraphData, NodeData, Part
from gennas.training.datasets.user import as_tensor, check_graph, check_labels, count_classes, digest
from gennas.training.given.base import Given, held_out, in_parts, kept_and_held

__all__ = ["read_graph", "read_graphs"]

Graph = tuple[Tensor, Tensor, int]


def read_graph(
    name: str, x: Any, edge_index: Any, y: Any, train: Any, validation: Any, test: Any, num_outputs: int | None
) -> Given:
    """One graph; see ``Task.from_graph``."""
    given = {"x": x, "edge_index": edge_index, "y": y, "train": train, "validation": validation, "test": test}
    read = {part: as_tensor(f"Task {shown(name)}, {part}:", value) for part, value in given.items()}
    for part in ("edge_index", "y", *PARTS):
        if read[part].is_floating_point() and read[part].numel():
            raise ConfigError(f"Task {shown(name)}: expected whole numbers in {part}, got {read[part].dtype}.")
    masks = [part for part in PARTS if read[part].dtype == torch.bool]
    wrong = [part for part in masks if read[part].shape != read["x"].shape[:1]]
    if wrong:
        raise ConfigError(
            f"Task {shown(name)}: expected a mask of {len(read['x'])} nodes for {wrong[0]}, "
            f"got {tuple(read[wrong[0]].shape)}."
        )
    nodes = {p: torch.nonzero(read[p]).flatten() if p in masks else read[p].long() for p in PARTS}
    data = NodeData(read["x"].float(), read["edge_index"].long(), read["y"].long(), nodes)
    check_graph(name, data)
    classes = count_classes(name, data.labels("train")) if num_outputs is None else num_outputs
    for part in PARTS:
        check_labels(f"Task {shown(name)}, {part}:", data.labels(part), classes)
    spec = TaskSpec("node", data.input_shape, classes)
    return Given(spec, data, f"given, data {digest(data.x, data.edge_index, data.y, *data.nodes.values())}")


def read_graphs(
    name: str, train: Any, validation: Any, test: Any, num_outputs: int | None, validation_fraction: float
) -> Given:
    """Many graphs; see ``Task.from_graphs``."""
    parts = in_parts(f"Task {shown(name)}", train, validation, test, _graphs)
    labels: dict[Part, Tensor] = {part: torch.tensor([y for _, _, y in graphs]) for part, graphs in parts.items()}
    classes = count_classes(name, labels["train"]) if num_outputs is None else num_outputs
    features = parts["train"][0][0].shape[1]
    for part, graphs in parts.items():
        check_labels(f"Task {shown(name)}, {part}:", labels[part], classes)
        other = next((x for x, _, _ in graphs if x.shape[1] != features), None)
        if other is not None:
            raise ConfigError(
                f"Task {shown(name)}, {part}: expected {features} features per node, got {other.shape[1]}."
            )
    split = held_out(parts, validation_fraction)
    if split != "given":
        keep, held = kept_and_held(labels["train"], validation_fraction)
        graphs = parts["train"]
        parts = {"train": [graphs[i] for i in keep], "validation": [graphs[i] for i in held], "test": parts["test"]}
    data = GraphData.of(parts)
    places = (*data.graphs.values(), *data.y.values())
    identity = digest(data.x, data.edge_index, data.nodes, data.edges, *places)
    return Given(TaskSpec("graph", data.input_shape, classes), data, f"{split}, data {identity}")


def _graphs(where: str, given: Any) -> list[Graph]:
    if not isinstance(given, Iterable) or isinstance(given, (str, Tensor)):
        raise ConfigError(f"{where} expected graphs, each (x, edge_index, label), got {type(given).__name__}.")
    found = [_one(f"{where} graph {i}:", graph) for i, graph in enumerate(given)]
    if not found:
        raise ConfigError(f"{where} expected at least one graph, got none.")
    return found


def _one(where: str, graph: Any) -> Graph:
    """Features, edges and label of ``(x, edge_index, label)`` or of a ``torch_geometric.data.Data``.

    A graph without edges is a graph.

    Raises:
        ConfigError: no nodes or features, shapes or edges that do not fit, or not one label.
    """
    if hasattr(graph, "edge_index"):
        graph = (graph.x, graph.edge_index, graph.y)
    if not isinstance(graph, (tuple, list)) or len(graph) != 3:
        raise ConfigError(
            f"{where} expected (x, edge_index, label) or a torch_geometric Data, got {type(graph).__name__}."
        )
    if graph[0] is None:
        raise ConfigError(f"{where} has no node features; give x=torch.ones(number of nodes, 1).")
    x, edges, y = (
        as_tensor(f"{where} {what}:", t) for what, t in zip(("x", "edge_index", "label"), graph, strict=True)
    )
    edges = edges.long().view(2, 0) if not edges.numel() else edges
    if x.ndim != 2 or not x.numel() or edges.ndim != 2 or len(edges) != 2 or edges.is_floating_point():
        raise ConfigError(
            f"{where} expected x (n, f) and edge_index (2, e), got {tuple(x.shape)} and {tuple(edges.shape)}."
        )
    if not x.float().isfinite().all():
        raise ConfigError(f"{where} x holds NaN, infinite values, or values beyond float32.")
    if edges.numel() and not 0 <= int(edges.min()) <= int(edges.max()) < len(x):
        raise ConfigError(f"{where} edge_index names nodes outside 0 to {len(x) - 1}.")
    if y.numel() != 1 or y.is_floating_point():
        raise ConfigError(f"{where} expected one whole label, got {y.tolist()!r:.60}.")
    return x.float(), edges.long(), int(y)
