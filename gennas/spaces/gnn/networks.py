"""Networks of the general space of graph neural networks, from torch-geometric's layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import (
    ARMAConv,
    ChebConv,
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    SAGEConv,
    TAGConv,
    TransformerConv,
)

from gennas.spaces.gnn.parts import ACTIVATIONS, Pooling, Readout, dense
from gennas.spaces.gnn.space import AGGREGATING, ATTENDING
from gennas.spaces.parts import PLAIN, Parts, Routed, Size, largest, running, single, sized
from gennas.spaces.spec import TaskSpec

_PLAIN = {"gcn": GCNConv, "arma": ARMAConv, "tag": TAGConv}
_AGGREGATING = {"sage": SAGEConv, "graph": GraphConv}
_OF_LAYER = ("op", "aggr", "heads", "act")
_ATTENDING = {"gat": GATConv, "gatv2": GATv2Conv, "transformer": TransformerConv}


class GNNNetwork(Routed):
    """Dense layers, message passing, dense layers: node features and edges become logits of nodes or graphs.

    Args:
        config: values by name, as :meth:`GNN.values` gives them.
        spec: the task.
        pooling: how the nodes of a graph become one vector.
        parts: what it is made of.
    """

    def __init__(self, config: Mapping[str, Any], spec: TaskSpec, pooling: Pooling, parts: Parts = PLAIN) -> None:
        super().__init__()
        hidden, self.connectivity = config["hidden"], config["connectivity"]
        features, count = spec.input_shape[0], config["depth"]
        self.pre = dense(features, hidden, config["pre"], config["dropout"], parts)
        first = sized(lambda pre, c: c if pre else features, config["pre"], hidden)
        layers, shortcuts = [], []
        for i in range(largest(count)):
            inputs = hidden if i else first
            layers.append(Layer({**config, **{name: config[name][i] for name in _OF_LAYER}}, inputs, hidden, parts))
            adds = sized(
                lambda c, before, after: c == "skip-sum" and before != after, self.connectivity, inputs, hidden
            )
            shortcuts.append(parts.alternative(adds, partial(_shortcut, parts, inputs, hidden)))
        self.layers, self.shortcuts = parts.depth(count, layers.__getitem__), parts.depth(count, shortcuts.__getitem__)
        joined = sized(
            lambda how, before, after, n: before + n * after if how == "skip-cat" else after,
            self.connectivity, first, hidden, count,
        )  # fmt: skip
        self.readout = Readout(joined, hidden, config["post"], spec, pooling, config["dropout"], parts)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        values, connectivity = [self.pre(x)], single(self.connectivity, self)
        for layer, shortcut in zip(running(self.layers), running(self.shortcuts), strict=True):
            y = layer(values[-1], edge_index)
            values.append(y + shortcut(values[-1]) if connectivity == "skip-sum" else y)
        joined = torch.cat(values, dim=1) if connectivity == "skip-cat" else values[-1]
        logits: Tensor = self.readout(joined, batch)
        return logits


def _shortcut(parts: Parts, inputs: Size, outputs: Size, changes: bool) -> nn.Module:
    """What brings a layer's input to the width of its output."""
    return parts.linear(inputs, outputs, False) if changes else nn.Identity()


class Layer(Routed):
    """An operator, batch norm, activation, dropout; in a shared one an operator for each aggregation and heads."""

    def __init__(self, config: Mapping[str, Any], inputs: Size, hidden: Size, parts: Parts = PLAIN) -> None:
        super().__init__()

        def made(name: str, aggregation: str | None = None, heads: int | None = None) -> nn.Module:
            return parts.sliced(lambda a, b: operator(name, a, b, aggregation, heads), inputs, hidden)

        def make(name: str) -> nn.Module | None:
            if name in AGGREGATING:
                return parts.alternative(config["aggr"], lambda aggregation: made(name, aggregation))
            return (
                parts.alternative(config["heads"], lambda h: made(name, None, h)) if name in ATTENDING else made(name)
            )

        def norm(it: int) -> nn.Module:
            return parts.sliced(nn.BatchNorm1d, hidden) if it else nn.Identity()

        self.operation = parts.alternative(config["op"], make)
        self.needs_graph = sized(lambda name: name != "fc", config["op"])
        self.norm = parts.alternative(config["batch_norm"], norm)
        self.activation = parts.alternative(config["act"], lambda name: ACTIVATIONS[name]())
        self.dropout = parts.dropout(config["dropout"])

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        assert self.operation is not None and self.norm is not None and self.activation is not None
        x = self.operation(x, edge_index) if single(self.needs_graph, self) else self.operation(x)
        activated: Tensor = self.dropout(self.activation(self.norm(x)))
        return activated


def operator(name: str, inputs: int, outputs: int, aggregation: str | None, heads: int | None) -> nn.Module:
    """The module of an operator; all but ``fc`` take ``edge_index``, too; heads are concatenated."""
    made: nn.Module
    if name == "fc":
        made = nn.Linear(inputs, outputs)
    elif name == "gin":
        inner = nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))
        made = GINConv(inner, aggr=aggregation)
    elif name == "cheb":
        made = ChebConv(inputs, outputs, K=2)
    elif name in _AGGREGATING:
        made = _AGGREGATING[name](inputs, outputs, aggr=aggregation)
    elif heads is not None:
        made = _ATTENDING[name](inputs, outputs // heads, heads=heads)
    else:
        made = _PLAIN[name](inputs, outputs)
    return made
