"""Networks of GraphGym's design space (You et al. 2020, arXiv 2011.08843, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch_geometric.nn import SimpleConv

from gennas.spaces.gnn.parts import ACTIVATIONS, Pooling, Readout, dense
from gennas.spaces.parts import PLAIN, Parts, Routed, Size, running, single, sized
from gennas.spaces.spec import TaskSpec


class GraphGymNetwork(Routed):
    """Dense layers, message passing, dense layers: node features and edges become logits of nodes or graphs.

    Args:
        config: values by name, as :meth:`GraphGym.config` gives them.
        hidden: width of every layer.
        spec: the task.
        pooling: how the nodes of a graph become one vector.
        parts: what it is made of.
    """

    def __init__(
        self, config: Mapping[str, Any], hidden: int, spec: TaskSpec, pooling: Pooling, parts: Parts = PLAIN
    ) -> None:
        super().__init__()
        self.connectivity, count = config["connectivity"], config["layers"]
        self.pre = dense(spec.input_shape[0], hidden, config["pre"], parts=parts)

        def width(i: int) -> Size:  # that layer i reads
            return cast(Size, sized(lambda how: (i + 1) * hidden if how == "skip-cat" else hidden, self.connectivity))

        self.layers = parts.depth(count, lambda i: GeneralLayer(width(i), hidden, config, parts))
        last = sized(lambda how, n: (n + 1) * hidden if how == "skip-cat" else hidden, self.connectivity, count)
        self.readout = Readout(last, hidden, config["post"], spec, pooling, parts=parts)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        x, connectivity = self.pre(x), single(self.connectivity, self)
        for layer in running(self.layers):
            y = layer(x, edge_index)
            if connectivity == "skip-sum":
                y = y + x
            elif connectivity == "skip-cat":
                y = torch.cat([x, y], dim=1)
            x = y
        logits: Tensor = self.readout(x, batch)
        return logits


class GeneralLayer(nn.Module):
    """Linear, batch norm, dropout and activation of the neighbours, then their sum, mean or maximum."""

    def __init__(self, inputs: Size, outputs: int, config: Mapping[str, Any], parts: Parts = PLAIN) -> None:
        super().__init__()
        norm = parts.alternative(config["batch_norm"], lambda it: nn.BatchNorm1d(outputs) if it else None, passes=True)
        activation = parts.alternative(config["act"], lambda name: ACTIVATIONS[name]())
        self.message = parts.row([parts.linear(inputs, outputs), norm, parts.dropout(config["dropout"]), activation])
        self.aggregate = parts.alternative(config["aggr"], lambda how: SimpleConv(aggr=how))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        assert self.aggregate is not None
        gathered: Tensor = self.aggregate(self.message(x), edge_index)
        return gathered
