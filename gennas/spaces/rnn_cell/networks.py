r"""Recurrent networks whose cell is a tree of highway nodes (Pham et al. 2018, arXiv 1802.03268)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gennas.spaces.parts import Sources, added, taken
from gennas.spaces.parts.sources import Taken
from gennas.spaces.spec import TaskSpec
from gennas.spaces.tokens import TokenNetwork

__all__ = ["Cell", "RecurrentNetwork"]

_ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "identity": nn.Identity}


class RecurrentNetwork(TokenNetwork):
    """Embedding, one cell that is applied to every token in turn, and a linear head with bias.

    The state before the first token is zero. For ``text`` the states are averaged before the head.

    Shapes: tokens ``(b, t)`` to ``(b, t, k)``, for ``text`` to ``(b, k)``.
    """

    def __init__(self, cell: Cell, spec: TaskSpec, is_tied: bool) -> None:
        super().__init__(spec)
        self.hidden = cell.hidden
        self.embedding = nn.Embedding(spec.vocabulary, self.hidden)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.cell = cell
        self.head = nn.Linear(self.hidden, spec.num_outputs)
        self.is_pooled = spec.kind == "text"
        if is_tied and spec.kind == "language" and spec.num_outputs == spec.vocabulary:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        state, states = torch.zeros_like(x[:, 0]), []
        for token in range(tokens.shape[1]):
            state = self.cell(x[:, token], state)
            states.append(state)
        y = torch.stack(states, 1)
        if self.is_pooled:
            y = y.mean(1)
        logits: Tensor = self.head(y)
        return logits


class Cell(nn.Module):
    r"""A cell: node 1 reads the token and the state, every other node one earlier node.

    .. math:: s_1 = h + \sigma(c_1) (f_1(u_1) - h), \quad [c_1, u_1] = W_1 [x, h]

    .. math:: s_k = s_{p(k)} + \sigma(c_k) (f_k(u_k) - s_{p(k)}), \quad [c_k, u_k] = W_k s_{p(k)}

    The next state is the mean of some nodes. In a mixture a node reads the weighted sum of what it may read, and counts
    as a leaf by the product of the weights with which the nodes after it do not read it.

    Args:
        activations: the function of each node, or a module with all that it may be.
        predecessors: for each node but the first, the node that it reads, from 0; or what may be read.
        averaged: nodes of which the mean is taken, from 0; None for those that no other reads.
        hidden: channels ``h``.

    Shapes: ``x (b, h)`` and ``state (b, h)`` to ``(b, h)``; ``4 h^2 + 2 h^2 (nodes - 1)`` parameters.
    """

    def __init__(
        self,
        activations: Sequence[str | nn.Module],
        predecessors: Sequence[int | Sources],
        averaged: Sequence[int] | None,
        hidden: int,
    ) -> None:
        super().__init__()
        self.hidden, self.averaged = hidden, None if averaged is None else tuple(averaged)
        self.predecessors = [(p,) if isinstance(p, int) else p for p in predecessors]
        if shared := [p for p in predecessors if isinstance(p, Sources)]:
            self.sources = nn.ModuleList(shared)
        self.first = nn.Linear(2 * hidden, 2 * hidden, bias=False)
        self.linears = nn.ModuleList([nn.Linear(hidden, 2 * hidden, bias=False) for _ in predecessors])
        self.activations = nn.ModuleList(a if isinstance(a, nn.Module) else activation(a) for a in activations)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        gate, update = self.first(torch.cat([x, state], -1)).chunk(2, -1)
        states = [state + gate.sigmoid() * (self.activations[0](update) - state)]
        read = [taken(p) for p in self.predecessors]
        for k, sources in enumerate(read, 1):
            before = added(states, sources)
            gate, update = self.linears[k - 1](before).chunk(2, -1)
            states.append(before + gate.sigmoid() * (self.activations[k](update) - before))
        weights = leaves(read) if self.averaged is None else [(k, None) for k in self.averaged]
        total = [1.0 if w is None else w for _, w in weights]
        y: Tensor = added(states, weights) / (len(total) if all(w is None for _, w in weights) else sum(total))
        return y


def activation(name: str) -> nn.Module:
    """The module of an activation."""
    return _ACTIVATIONS[name]()


def leaves(read: Sequence[Taken]) -> Taken:
    """The nodes that no other reads, each with the weight of that, where nodes 1, 2, … read these.

    Example:
        >>> leaves([[(0, None)], [(0, None)]])
        [(1, None), (2, None)]
    """
    found: list[tuple[int, Tensor | None]] = []
    for k in range(len(read) + 1):
        weights = [w for sources in read[k:] for source, w in sources if source == k]
        if not weights:
            found.append((k, None))
        elif all(w is not None for w in weights):
            found.append((k, torch.stack([1 - w for w in weights if w is not None]).prod()))
    return found
