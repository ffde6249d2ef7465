"""Networks of SANE, with the attentions of GraphNAS and GeniePath as message functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import GCNConv, GINConv, JumpingKnowledge, MessagePassing, SAGEConv
from torch_geometric.utils import add_self_loops, remove_self_loops, softmax

from gennas.spaces.gnn.parts import Pooling, Readout
from gennas.spaces.spec import TaskSpec

__all__ = ["AttentionConv", "GeniePathConv", "SANENetwork"]


class SANENetwork(nn.Module):
    """A linear layer, three aggregators, the join of those that it reads, a classifier.

    Args:
        config: values by name, as :meth:`SANE.config` gives them.
        hidden: width of every layer.
        heads: of the attention.
        dropout: rate after every layer.
        spec: the task.
        pooling: how the nodes of a graph become one vector.
    """

    def __init__(
        self, config: Mapping[str, Any], hidden: int, heads: int, dropout: float, spec: TaskSpec, pooling: Pooling
    ) -> None:
        super().__init__()
        self.input = nn.Linear(spec.input_shape[0], hidden)
        self.layers = nn.ModuleList(aggregator(op, hidden, heads) for op in config["op"])
        self.reads, self.dropout = [bool(skip) for skip in config["skip"]], nn.Dropout(dropout)
        self.join = JumpingKnowledge(config["join"], hidden, len(self.layers))
        joined = hidden * len(self.layers) if config["join"] == "cat" else hidden
        self.readout = Readout(joined, hidden, 0, spec, pooling)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        x = self.dropout(self.input(x))
        values = []
        for layer, reads in zip(self.layers, self.reads, strict=True):
            x = self.dropout(functional.elu(layer(x, edge_index)))
            values.append(x if reads else torch.zeros_like(x))
        logits: Tensor = self.readout(self.join(values), batch)
        return logits


def aggregator(name: str, hidden: int, heads: int) -> nn.Module:
    """The module of an aggregator with ``forward(x, edge_index)``."""
    made: nn.Module
    match name:
        case "gcn":
            made = GCNConv(hidden, hidden)
        case "gin":
            made = GINConv(nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden)))
        case "geniepath":
            made = GeniePathConv(hidden, hidden)
        case "sage-sum" | "sage-mean" | "sage-max":
            made = SAGEConv(hidden, hidden, aggr=name.removeprefix("sage-"))
        case _:
            made = AttentionConv(hidden, hidden // heads, heads, name)
    return made


class AttentionConv(MessagePassing):  # type: ignore[misc]
    r"""Attention over the neighbours and the node itself, with one of five scores (GraphNAS, arXiv 1904.09981).

    With :math:`h = W x` in each head, weights are the softmax over the neighbours :math:`j` of node :math:`i` of

    ================== ======================================================================================
    ``gat``            :math:`e_{ij} = LeakyReLU(a_l \cdot h_j + a_r \cdot h_i)` (Velickovic et al. 2018)
    ``gat-sym``        :math:`e_{ij} + e_{ji}`
    ``gat-cos``        :math:`(a_l \odot h_j) \cdot (a_r \odot h_i)`
    ``gat-linear``     :math:`\tanh(a_l \cdot h_j + a_r \cdot h_i)`
    ``gat-gen-linear`` :math:`g \cdot \tanh(a_l \odot h_j + a_r \odot h_i)`
    ================== ======================================================================================

    and the output is the weighted sum of :math:`h_j`, heads concatenated, plus a bias. The maps that the paper
    writes as matrices before ``cos`` and ``gen-linear`` are diagonal, since :math:`W` is there already.

    Args:
        inputs: features that come in.
        outputs: features of each head.
        heads: number of heads.
        score: which score.

    Shapes:
        ``x (n, inputs)``, ``edge_index (2, m)`` to ``(n, heads * outputs)``.
    """

    def __init__(self, inputs: int, outputs: int, heads: int, score: str) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.heads, self.outputs, self.score_name = heads, outputs, score
        self.linear = nn.Linear(inputs, heads * outputs, bias=False)
        self.source = nn.Parameter(torch.empty(1, heads, outputs))
        self.target = nn.Parameter(torch.empty(1, heads, outputs))
        self.mix = nn.Parameter(torch.empty(1, heads, outputs)) if score == "gat-gen-linear" else None
        self.bias = nn.Parameter(torch.zeros(heads * outputs))
        nn.init.xavier_uniform_(self.linear.weight)
        for weight in (self.source, self.target, *([] if self.mix is None else [self.mix])):
            nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edge_index, _ = add_self_loops(remove_self_loops(edge_index)[0], num_nodes=x.size(0))
        h = self.linear(x).view(-1, self.heads, self.outputs)
        out: Tensor = self.propagate(edge_index, h=h, size=(x.size(0), x.size(0)))
        return out.flatten(1) + self.bias

    def message(self, h_i: Tensor, h_j: Tensor, index: Tensor, size_i: int | None) -> Tensor:
        weights = softmax(self.score(h_i, h_j), index, num_nodes=size_i)
        weighted: Tensor = h_j * weights.unsqueeze(-1)
        return weighted

    def score(self, h_i: Tensor, h_j: Tensor) -> Tensor:
        """Scores of edges from ``h_j`` to ``h_i (m, heads, outputs)``: ``(m, heads)``."""
        left, right = self.source * h_j, self.target * h_i
        if self.mix is not None:
            mixed: Tensor = self.mix * torch.tanh(left + right)
            return mixed.sum(-1)
        if self.score_name == "gat-cos":
            return (left * right).sum(-1)
        forth = left.sum(-1) + right.sum(-1)
        if self.score_name == "gat-linear":
            return torch.tanh(forth)
        scores = functional.leaky_relu(forth, 0.2)
        if self.score_name == "gat-sym":
            scores = scores + functional.leaky_relu((self.source * h_i + self.target * h_j).sum(-1), 0.2)
        return scores


class GeniePathConv(nn.Module):
    r"""GeniePath (Liu et al. 2019, arXiv 1802.00910): attention over the neighbours, then a gated memory.

    .. math::
        \alpha = softmax_j(v \cdot \tanh(W_s x_i + W_d x_j)), \quad
        t = \tanh(W \sum_j \alpha_{ij} x_j), \quad
        x_i' = \sigma(W_o t + b_o) \odot \tanh(\sigma(W_i t + b_i) \odot \tanh(W_c t + b_c))

    As one of SANE's aggregators its memory is empty at the beginning of every layer: there is nothing to forget.
    :math:`W_s` and :math:`W_d` are vectors here after the map :math:`W`, as in the published implementations, which use
    a one-headed attention of Velickovic et al. with a tanh.

    Args:
        inputs: features that come in.
        outputs: features that go out.

    Shapes:
        ``x (n, inputs)``, ``edge_index (2, m)`` to ``(n, outputs)``.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.breadth = AttentionConv(inputs, outputs, 1, "gat")
        self.gates = nn.Linear(outputs, 3 * outputs)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        gate_in, gate_out, content = self.gates(torch.tanh(self.breadth(x, edge_index))).chunk(3, dim=1)
        remembered: Tensor = gate_out.sigmoid() * torch.tanh(gate_in.sigmoid() * torch.tanh(content))
        return remembered
