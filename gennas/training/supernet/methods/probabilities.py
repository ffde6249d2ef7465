r"""Small pieces of differentiable choices: softmax and Gumbel noise under a mask, straight-through samples.

Shapes: ``alpha`` and ``mask`` ``(d, L)``, one row for every decision. Random numbers are PyTorch's global ones, which a
training seeds, saves and restores.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["entropy", "gumbel", "gumbel_softmax", "masked_log_softmax", "masked_softmax", "straight_through"]


def masked_log_softmax(alpha: Tensor, mask: Tensor) -> Tensor:
    """Logarithms of :func:`masked_softmax`, minus infinity where a label is not allowed."""
    return torch.log_softmax(alpha.masked_fill(~mask, float("-inf")), -1)


def masked_softmax(alpha: Tensor, mask: Tensor) -> Tensor:
    r"""Probabilities of the allowed labels, :math:`p_k = e^{\alpha_k} / \sum_j e^{\alpha_j}`; 0 for the others."""
    return torch.softmax(alpha.masked_fill(~mask, float("-inf")), -1)


def gumbel(like: Tensor) -> Tensor:
    r"""Independent samples of the standard Gumbel distribution, :math:`-\log(-\log u)`, in the shape of ``like``."""
    return -torch.empty_like(like).exponential_().clamp_min(torch.finfo(like.dtype).tiny).log()


def gumbel_softmax(alpha: Tensor, mask: Tensor, tau: float, noise: Tensor | None = None) -> Tensor:
    r"""A relaxed sample, :math:`q = \mathrm{softmax}((\log p + g) / \tau)` with :math:`p = \mathrm{softmax}(\alpha)`.

    Its largest entry is distributed as ``p``. Sources: Jang et al. 2017, arXiv 1611.01144; Maddison et al. 2017,
    arXiv 1611.00712.

    Args:
        alpha: ``(d, L)``.
        mask: allowed labels.
        tau: temperature.
        noise: the Gumbel noise ``g``, drawn by default.
    """
    noise = gumbel(alpha) if noise is None else noise
    return torch.softmax((masked_log_softmax(alpha, mask) + noise) / tau, -1)


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The values of ``hard``, exactly, with the gradient of ``soft``."""
    return hard + (soft - soft.detach())


def entropy(p: Tensor) -> Tensor:
    """Entropy of every row of probabilities in nats, ``(d,)``."""
    found: Tensor = torch.special.xlogy(p, p).sum(-1)
    return -found
