"""The base class of differentiable methods: architecture parameters, and the routes that are made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import LossOf, Route
from gennas.training.supernet.methods.probabilities import masked_softmax

__all__ = ["Relaxation"]


class Relaxation(nn.Module, ABC):
    r"""Architecture parameters :math:`\alpha` ``(d, L)`` and what a supernet is made to do with them.

    A subclass gives :meth:`route`, through which gradients reach the parameters. An alternating step
    (:class:`~gennas.training.supernet.methods.alternating.AlternatingStep`) minimises :meth:`objective` over the
    parameters on validation batches, and the loss along :meth:`weight_route` over the weights on training batches.

    Random numbers are PyTorch's global ones. What changes in the course of the training reads :attr:`progress`, the
    share of it that is done.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
    """

    adam: ClassVar[Mapping[str, Any]] = {"lr": 3e-4, "betas": (0.5, 0.999), "weight_decay": 1e-3}
    """Settings of the parameters' own Adam."""
    frozen: ClassVar[float] = 0.0
    """Share of the training in whose beginning only the weights learn."""
    is_deterministic: ClassVar[bool] = False
    """Whether :meth:`route` is a function of the parameters, so that an unrolled step can be differentiated."""

    mask: Tensor

    alpha: nn.Parameter

    def __init__(self, space: Space, spec: TaskSpec | None = None) -> None:
        super().__init__()
        self.space, self.spec, self.progress = space, spec, 0.0
        self.register_buffer("mask", torch.from_numpy(space.schema.decision_mask.copy()), persistent=False)
        self._make_parameters()

    def _make_parameters(self) -> None:
        """Make :attr:`alpha`, small and random; a method with other parameters overrides this."""
        self.alpha = nn.Parameter(1e-3 * torch.randn(self.mask.shape).masked_fill(~self.mask, 0.0))

    @abstractmethod
    def route(self) -> Route:
        """A route through which gradients reach the parameters."""

    def weight_route(self) -> Route:
        """A route for the weights' step, without gradients for the parameters."""
        with torch.no_grad():
            return self.route()

    def evaluation_route(self) -> Route:
        """The route that the supernet is evaluated along while it is searched: the mixture of the strengths."""
        return list(torch.unbind(self.strengths().detach()))

    def likeliest(self) -> list[int]:
        """The strongest label of every decision, as :meth:`strongest` says."""
        return self.strongest(self.strengths().detach())

    def strongest(self, weights: Tensor) -> list[int]:
        """The label of the largest weight ``(d, L)`` of every decision.

        Decisions that are nodes, such as depths and sizes, take one that is legal after those before. Edges are taken
        each by itself: a supernet runs any number of them.
        """
        if type(self.space).legal is Space.legal:
            symbols: list[int] = weights.argmax(-1).tolist()
            return symbols
        w, D = weights.cpu().double().numpy(), np.zeros((1, len(weights)), dtype=np.int16)
        for t, slot in enumerate(self.space.schema.slots):
            allowed = self.space.legal(D, t)[0] if slot.is_node else self.space.schema.decision_mask[t]
            D[0, t] = np.where(allowed, w[t], -1.0).argmax()
        symbols = D[0].tolist()
        return symbols

    def probabilities(self) -> Tensor:
        """How likely every label is, ``(d, L)``; rows sum to 1."""
        return masked_softmax(self.alpha, self.mask)

    def strengths(self) -> Tensor:
        """Weights ``(d, L)`` whose logarithms add up to an architecture's value; the probabilities by default."""
        return self.probabilities()

    def penalty(self) -> Tensor | float:
        """What is added to the validation loss."""
        return 0.0

    def objective(self, loss_of: LossOf) -> Tensor:
        """What the parameters minimise on a validation batch."""
        return loss_of(self.route()) + self.penalty()

    def settle(self, before: Mapping[str, Tensor]) -> None:
        """Correct the parameters after a step of their optimiser; ``before`` are their values before it."""

    def temperature(self, ends: tuple[float, float]) -> float:
        """A value that falls linearly from the first to the second of ``ends`` in the course of the training."""
        return ends[0] + (ends[1] - ends[0]) * self.progress
