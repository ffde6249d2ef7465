"""PC-DARTS: a part of the channels goes through the mixture, and the edges into a node are weighed as well."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["PARTIAL", "PCDARTS"]

PARTIAL = 4
"""One over the share of channels that is mixed, by default, as published for CIFAR-10."""


@METHODS.register("pc-darts")
class PCDARTS(Relaxation):
    r"""A node sums :math:`b_e M_e` over its edges, :math:`b = \mathrm{softmax}(\beta)` over the edges into the node.

    :math:`M_e` mixes the first :math:`1/K` of the channels by :math:`p_e = \mathrm{softmax}(\alpha_e)` and lets the
    others pass, which is the supernet's business (:class:`gennas.spaces.parts.Choice`). With ``y`` the node and
    :math:`\tilde G` the gradient before the channels were shuffled, in the first :math:`C/K` of them,

    .. math::
        \partial L / \partial \beta_e = b_e \langle G, M_e - y \rangle, \qquad
        \partial L / \partial \alpha_{e,k} = b_e p_{e,k} \langle \tilde G, o_k - \textstyle\sum_j p_{e,j} o_j \rangle .

    The weights of a route are :math:`b_e p_{e,k}`, so that what passes has the weight :math:`b_e`: their sum.
    An architecture is made of the same products. Decisions that are nodes have no :math:`\beta`. Source: Xu et al.,
    "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search", ICLR 2020, arXiv 1907.05737.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        channels: ``K``; 1 mixes all of them, so that only the edges' weights differ from DARTS.

    Raises:
        ConfigError: fewer than one.
    """

    is_deterministic: ClassVar[bool] = True
    frozen: ClassVar[float] = 0.3  # 15 of the published 50 epochs

    groups: Tensor

    def __init__(self, space: Space, spec: TaskSpec | None = None, channels: int = PARTIAL) -> None:
        if channels < 1:
            raise ConfigError(f"pc-darts: expected channels >= 1, got {channels}.")
        super().__init__(space, spec)
        self.channels = channels
        slots = space.schema.slots
        nodes = [slot.target if not slot.is_node else -1 - t for t, slot in enumerate(slots)]  # a node is on its own
        number = {node: i for i, node in enumerate(dict.fromkeys(nodes))}
        self.register_buffer("groups", torch.tensor([number[node] for node in nodes]), persistent=False)
        self.beta = nn.Parameter(1e-3 * torch.randn(len(slots)))

    def edge_weights(self) -> Tensor:
        """Softmax of beta over the edges into each node, ``(d,)``; 1 for decisions that are nodes."""
        same = self.groups[:, None] == self.groups[None]
        scores = self.beta[None].expand(len(same), -1).masked_fill(~same, float("-inf"))
        return torch.softmax(scores, -1).diagonal()

    def strengths(self) -> Tensor:
        """Probabilities of the labels times the weights of the edges."""
        return self.edge_weights()[:, None] * self.probabilities()

    def route(self) -> Route:
        """The products as weights ``(L,)`` of every slot."""
        return list(torch.unbind(self.strengths()))
