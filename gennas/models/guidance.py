"""Classifier-free guidance."""

from __future__ import annotations

import torch
from torch import Tensor


def guided(conditional: Tensor, free: Tensor, w: float | Tensor) -> Tensor:
    r"""What a model says with conditions, moved on from what it says without: :math:`f + w\,(c - f)`.

    Minus infinity, a label that is forbidden either way, stays so. At ``w = 1`` this is the conditional
    model. Source: Ho and Salimans 2022, arXiv 2207.12598.

    Example:
        >>> guided(torch.tensor([2.0, -torch.inf]), torch.tensor([1.0, -torch.inf]), 3.0)
        tensor([4., -inf])
    """
    return torch.where(conditional.isneginf(), -torch.inf, free + w * (conditional - free))
