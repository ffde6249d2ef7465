"""Parts that graph networks share: activations, poolings, layers that are no message passing."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from gennas.spaces.spec import TaskSpec

__all__ = ["ACTIVATIONS", "Pooling", "Readout", "dense"]

Pooling = Literal["mean", "sum", "max"]
_POOLS = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}
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
        self, inputs: int, hidden: int, count: int, spec: TaskSpec, pooling: Pooling, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.pool = _POOLS[pooling] if spec.kind == "graph" else None
        self.layers = dense(inputs, hidden, count, dropout)
        self.classifier = nn.Linear(hidden if count else inputs, spec.num_outputs)

    def forward(self, x: Tensor, batch: Tensor | None) -> Tensor:
        """Nodes ``x (n, inputs)``, and the graph of each where graphs are classified, to logits."""
        pooled = x if self.pool is None else self.pool(x, batch)
        logits: Tensor = self.classifier(self.layers(pooled))
        return logits


def dense(inputs: int, hidden: int, count: int, dropout: float = 0.0) -> nn.Sequential:
    """``count`` linear layers to ``hidden``, each with ReLU and dropout."""
    layers: list[nn.Module] = []
    for a, b in pairwise([inputs, *[hidden] * count]):
        layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
