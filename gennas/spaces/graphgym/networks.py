"""Networks of GraphGym's design space (You et al. 2020, arXiv 2011.08843, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import SimpleConv

from gennas.spaces.gnn.parts import ACTIVATIONS, Pooling, Readout, dense
from gennas.spaces.spec import TaskSpec


class GraphGymNetwork(nn.Module):
    """Dense layers, message passing, dense layers: node features and edges become logits of nodes or graphs.

    Args:
        config: values by name, as :meth:`GraphGym.config` gives them.
        hidden: width of every layer.
        spec: the task.
        pooling: how the nodes of a graph become one vector.
    """

    def __init__(self, config: Mapping[str, Any], hidden: int, spec: TaskSpec, pooling: Pooling) -> None:
        super().__init__()
        self.connectivity = config["connectivity"]
        self.pre = dense(spec.input_shape[0], hidden, config["pre"])
        width = hidden
        self.layers = nn.ModuleList()
        for _ in range(config["layers"]):
            self.layers.append(GeneralLayer(width, hidden, config))
            width = width + hidden if self.connectivity == "skip-cat" else hidden
        self.readout = Readout(width, hidden, config["post"], spec, pooling)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        x = self.pre(x)
        for layer in self.layers:
            y = layer(x, edge_index)
            if self.connectivity == "skip-sum":
                y = y + x
            elif self.connectivity == "skip-cat":
                y = torch.cat([x, y], dim=1)
            x = y
        logits: Tensor = self.readout(x, batch)
        return logits


class GeneralLayer(nn.Module):
    """Linear, batch norm, dropout and activation of the neighbours, then their sum, mean or maximum."""

    def __init__(self, inputs: int, outputs: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        norm = [nn.BatchNorm1d(outputs)] if config["batch_norm"] else []
        activation = ACTIVATIONS[config["act"]]()
        self.message = nn.Sequential(nn.Linear(inputs, outputs), *norm, nn.Dropout(config["dropout"]), activation)
        self.aggregate = SimpleConv(aggr=config["aggr"])

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        gathered: Tensor = self.aggregate(self.message(x), edge_index)
        return gathered
