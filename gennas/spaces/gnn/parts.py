"""Parts that graph networks share: activations, poolings, layers that are no message passing."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from gennas.spaces.parts import PLAIN, Parts, Size, sized
from gennas.spaces.spec import TaskSpec

__all__ = ["ACTIVATIONS", "Pooling", "Readout", "dense"]

Pooling = Literal["mean", "sum", "max"]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "prelu": nn.PReLU,
    "swish": nn.SiLU,
}


class Readout(nn.Module):
    """Pools the nodes of each graph, where graphs are what is classified, and classifies.

    Args:
        inputs: features of a node.
        hidden: width of the layers before the classifier.
        count: how many there are.
        spec: the task: nodes or graphs.
        pooling: how the nodes of a graph become one vector.
        dropout: rate after every layer.
    """

    def __init__(
        self,
        inputs: Size,
        hidden: Size,
        count: Size,
        spec: TaskSpec,
        pooling: Pooling,
        dropout: Any = 0.0,
        parts: Parts = PLAIN,
    ) -> None:
        super().__init__()
        self.pooling = pooling if spec.kind == "graph" else None
        self.layers = dense(inputs, hidden, count, dropout, parts)
        width = sized(lambda n, before, after: after if n else before, count, inputs, hidden)
        self.classifier = parts.linear(width, spec.num_outputs)

    def forward(self, x: Tensor, batch: Tensor | None) -> Tensor:
        """Nodes ``x (n, inputs)``, and the graph of each where graphs are classified, to logits."""
        pooled = x if self.pooling is None or batch is None else pool(x, batch, self.pooling)
        logits: Tensor = self.classifier(self.layers(pooled))
        return logits


def pool(x: Tensor, batch: Tensor, how: Pooling) -> Tensor:
    """Mean, sum or largest value over the nodes of each graph, ``(g, f)``.

    The number of graphs is read from ``batch`` in a way that ``torch.export`` can follow.

    Shapes: ``x (n, f)``, ``batch (n,)`` with the number of each node's graph, from 0.

    Example:
        >>> pool(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1]), "mean").tolist()
        [[2.0], [5.0]]
    """
    graphs = cast(int, batch.max().item()) + 1
    torch._check(graphs >= 1)
    index = batch[:, None].expand_as(x)
    zeros = x.new_zeros(graphs, x.size(1))
    if how == "max":
        return zeros.scatter_reduce(0, index, x, "amax", include_self=False)
    total = zeros.scatter_add(0, index, x)
    if how == "sum":
        return total
    count = x.new_zeros(graphs).scatter_add(0, batch, torch.ones_like(x[:, 0]))
    return total / count.clamp(min=1)[:, None]


def dense(inputs: Size, hidden: Size, count: Size, dropout: Any = 0.0, parts: Parts = PLAIN) -> nn.Sequential:
    """``count`` linear layers to ``hidden``, each with ReLU and dropout."""

    def layer(i: int) -> nn.Module:
        if i % 3 == 0:
            return parts.linear(hidden if i else inputs, hidden)
        return nn.ReLU() if i % 3 == 1 else parts.dropout(dropout)

    return parts.rows([(sized(lambda n: 3 * n, count), layer)])
