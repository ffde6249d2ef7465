"""PC-DARTS: a part of the channels goes through the mixture, and the edges into a node are weighed as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["PCDARTS", "channel_shuffle", "partial_mixture"]


@METHODS.register("pc-darts")
class PCDARTS(Relaxation):
    r"""A node sums :math:`b_e M_e` over its edges, :math:`b = \mathrm{softmax}(\beta)` over the edges into the node.

    :math:`M_e` mixes the first :math:`1/K` of the channels by :math:`p_e = \mathrm{softmax}(\alpha_e)` and lets the
    others pass (:func:`partial_mixture`, which is the supernet's business). With ``y`` the node and
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
    """

    is_deterministic: ClassVar[bool] = True
    frozen: ClassVar[float] = 0.3  # 15 of the published 50 epochs
    partial: ClassVar[int] = 4  # one over the share of channels that candidates see, of the supernet

    groups: Tensor

    def __init__(self, space: Space, spec: TaskSpec | None = None) -> None:
        super().__init__(space, spec)
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


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Deal the channels ``(b, C, …)`` of ``groups`` consecutive groups round: a permutation of the channels.

    Example:
        >>> channel_shuffle(torch.arange(6.0).view(1, 6), 2).tolist()
        [[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]]
    """
    dealt = x.reshape(len(x), groups, -1, *x.shape[2:]).transpose(1, 2)
    return dealt.flatten(1, 2)


def partial_mixture(x: Tensor, mixture: Callable[[Tensor], Tensor], passing: Tensor | float, k: int) -> Tensor:
    """Let the first ``1/k`` of the channels go through a mixture, and the others pass.

    What passes is halved in size by a maximum where the mixture does so. The channels are shuffled afterwards, so
    that the next slot mixes others.

    Args:
        x: ``(b, C, …)``, ``C`` a multiple of ``k``.
        mixture: what the weighed candidates, made for ``C/k`` channels, give.
        passing: weight of what passes, the sum of the mixture's weights.
        k: one over the share of channels that are mixed.

    Raises:
        EvaluationError: the channels are no multiple of ``k``.
    """
    channels = x.shape[1]
    if channels % k:
        raise EvaluationError(f"Partial channels: expected channels that are a multiple of {k}, got {channels}.")
    mixed = mixture(x[:, : channels // k])
    rest = x[:, channels // k :]
    if mixed.shape[2:] != rest.shape[2:]:
        rest = nn.functional.max_pool2d(rest, 2, ceil_mode=True)
    return channel_shuffle(torch.cat([mixed, passing * rest], 1), k)
