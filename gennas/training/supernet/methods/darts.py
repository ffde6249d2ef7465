"""DARTS: the softmax of the architecture parameters weighs all candidates."""

from __future__ import annotations

from typing import ClassVar

import torch

from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["DARTS"]


@METHODS.register("darts")
class DARTS(Relaxation):
    r"""Every slot gives :math:`y = \sum_k p_k o_k(x)`, :math:`p = \mathrm{softmax}(\alpha)`.

    With the upstream gradient :math:`G = \partial L / \partial y`,

    .. math:: \partial L / \partial \alpha_k = p_k \, \langle G, o_k(x) - y \rangle .

    The step's ``order`` is 1, or 2 for the unrolled gradient
    (:func:`~gennas.training.supernet.methods.unrolled.unrolled_gradients`). Source: Liu, Simonyan and Yang, "DARTS:
    Differentiable Architecture Search", ICLR 2019, arXiv 1806.09055.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
    """

    is_deterministic: ClassVar[bool] = True

    def route(self) -> Route:
        """Weights ``(L,)`` of every slot's candidates."""
        return list(torch.unbind(self.probabilities()))
