"""Networks of NAS-Bench-Graph (Qin et al. 2022, arXiv 2206.09166, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import ARMAConv, ChebConv, GATConv, GCNConv, GINConv, GraphConv, SAGEConv

from gennas.spaces.spec import TaskSpec


class NASBenchGraphNetwork(nn.Module):
    """Linear layers, four computing nodes on a tree, concatenated leaves, linear layers, classifier.

    Node features ``x (n, features)`` and ``edge_index (2, m)`` become logits ``(n, classes)``.
    """

    def __init__(
        self,
        links: Sequence[int],
        operations: Sequence[str],
        spec: TaskSpec,
        hidden: int,
        num_pre: int,
        num_post: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.links, self.dropout = links, dropout
        self.leaves = [v for v in range(1, 5) if v not in links]
        self.pre, width = linear_layers(spec.input_shape[0], hidden, num_pre)
        widths = [width]
        self.nodes = nn.ModuleList()
        for parent, operation in zip(links, operations, strict=True):
            skip = operation == "skip"
            self.nodes.append(nn.Identity() if skip else Layer(operation, widths[parent], hidden))
            widths.append(widths[parent] if skip else hidden)
        self.post, width = linear_layers(sum(widths[v] for v in self.leaves), hidden, num_post)
        self.classifier = nn.Linear(width, spec.num_outputs)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        values = [self._dense(self.pre, x)]
        for node, parent in zip(self.nodes, self.links, strict=True):
            x = values[parent]
            values.append(self._drop(node(x, edge_index)) if isinstance(node, Layer) else x)
        joined = torch.cat([values[v] for v in self.leaves], dim=1)
        logits: Tensor = self.classifier(self._dense(self.post, joined))
        return logits

    def _dense(self, layers: nn.ModuleList, x: Tensor) -> Tensor:
        for layer in layers:
            x = self._drop(layer(x).relu())
        return x

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Layer(nn.Module):
    """An operation that is no ``skip``, batch norm and ReLU."""

    def __init__(self, operation: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.needs_graph = operation != "fc"
        self.operation = node_operation(operation, inputs, outputs)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.operation(x, edge_index) if self.needs_graph else self.operation(x)
        activated: Tensor = self.norm(x).relu()
        return activated


def node_operation(operation: str, inputs: int, outputs: int) -> nn.Module:
    """The module of an operation other than ``skip``; all but ``fc`` also take ``edge_index``."""
    made: nn.Module
    match operation:
        case "gat":
            made = GATConv(inputs, outputs // 2, heads=2)
        case "gin":
            made = GINConv(nn.Linear(inputs, outputs))
        case "cheb":
            made = ChebConv(inputs, outputs, K=2)
        case "fc":
            made = nn.Linear(inputs, outputs)
        case _:
            convolutions = {"gcn": GCNConv, "sage": SAGEConv, "arma": ARMAConv, "graph": GraphConv}
            made = convolutions[operation](inputs, outputs)
    return made


def linear_layers(inputs: int, hidden: int, count: int) -> tuple[nn.ModuleList, int]:
    """``count`` linear layers to ``hidden``, and the width after them."""
    widths = [inputs, *[hidden] * count]
    return nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths)), widths[-1]
