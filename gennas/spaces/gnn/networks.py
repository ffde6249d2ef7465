"""Networks of the general space of graph neural networks, from torch-geometric's layers."""

from __future__ import annotations

from collections.abc import Mapping
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
from gennas.spaces.spec import TaskSpec

_PLAIN = {"gcn": GCNConv, "arma": ARMAConv, "tag": TAGConv}
_AGGREGATING = {"sage": SAGEConv, "graph": GraphConv}
_ATTENDING = {"gat": GATConv, "gatv2": GATv2Conv, "transformer": TransformerConv}


class GNNNetwork(nn.Module):
    """Dense layers, message passing, dense layers: node features and edges become logits of nodes or graphs.

    Args:
        config: values by name, as :meth:`GNN.config` gives them.
        spec: the task.
        pooling: how the nodes of a graph become one vector.
    """

    def __init__(self, config: Mapping[str, Any], spec: TaskSpec, pooling: Pooling) -> None:
        super().__init__()
        hidden, self.connectivity = config["hidden"], config["connectivity"]
        self.pre = dense(spec.input_shape[0], hidden, config["pre"], config["dropout"])
        width = hidden if config["pre"] else spec.input_shape[0]
        layers = zip(config["op"], config["aggr"], config["heads"], config["act"], strict=True)
        self.layers = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        widths = [width]
        for operation, aggregation, heads, activation in layers:
            made = operator(operation, widths[-1], hidden, aggregation, heads)
            self.layers.append(Layer(made, hidden, activation, bool(config["batch_norm"]), config["dropout"]))
            same = widths[-1] == hidden or self.connectivity != "skip-sum"
            self.shortcuts.append(nn.Identity() if same else nn.Linear(widths[-1], hidden, bias=False))
            widths.append(hidden)
        joined = sum(widths) if self.connectivity == "skip-cat" else hidden
        self.readout = Readout(joined, hidden, config["post"], spec, pooling, config["dropout"])

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        values = [self.pre(x)]
        for layer, shortcut in zip(self.layers, self.shortcuts, strict=True):
            y = layer(values[-1], edge_index)
            values.append(y + shortcut(values[-1]) if self.connectivity == "skip-sum" else y)
        joined = torch.cat(values, dim=1) if self.connectivity == "skip-cat" else values[-1]
        logits: Tensor = self.readout(joined, batch)
        return logits


class Layer(nn.Module):
    """An operator, batch norm, activation, dropout."""

    def __init__(self, operation: nn.Module, hidden: int, activation: str, norm: bool, dropout: float) -> None:
        super().__init__()
        self.operation = operation
        self.needs_graph = not isinstance(operation, nn.Linear)
        self.norm = nn.BatchNorm1d(hidden) if norm else nn.Identity()
        self.activation, self.dropout = ACTIVATIONS[activation](), nn.Dropout(dropout)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.operation(x, edge_index) if self.needs_graph else self.operation(x)
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
