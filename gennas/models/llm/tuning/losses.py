"""What fine-tuning makes small, and how well an order is learned."""

from __future__ import annotations

from torch import Tensor, nn

from gennas.models.base import FloatArray

__all__ = ["preference_loss", "right_order", "supervised_loss"]


def supervised_loss(log_p: Tensor, tokens: Tensor) -> Tensor:
    r"""Mean negative log-likelihood of a token, :math:`-\sum_i \log p(a_i) / \sum_i n_i`.

    Args:
        log_p: of each architecture, ``(b,)``.
        tokens: how many each is written in, ``(b,)``.
    """
    return -log_p.sum() / tokens.sum()


def preference_loss(log_p: Tensor, reference: Tensor, utility: Tensor, beta: float) -> Tensor:
    r"""Direct preference optimisation over all pairs of a batch (Rafailov et al. 2023, arXiv 2305.18290, eq. 7).

    .. math:: -\log \sigma\big(\beta\,[r(a) - r(b)]\big), \quad r(a) = \log p(a) - \log p_{ref}(a)

    averaged over the pairs in which ``a`` is better than ``b``; 0 where there is none.

    Args:
        log_p: under the model that is trained, ``(b,)``.
        reference: under the model before training, ``(b,)``.
        utility: how good each architecture is, ``(b,)``.
        beta: how strongly the model is held to what it was; more holds more.

    Example:
        >>> import torch
        >>> zero = torch.zeros(2)
        >>> float(preference_loss(zero, zero, torch.tensor([1.0, 0.0]), beta=0.1).exp())
        2.0
    """
    r = log_p - reference
    better = utility[:, None] > utility
    gaps = nn.functional.softplus(-beta * (r[:, None] - r))
    return (gaps * better).sum() / better.sum().clamp(min=1)


def right_order(scores: FloatArray, utility: FloatArray) -> float:
    """Share of the pairs of different utility that scores put in the right order, equal scores counted half; else NaN.

    Example:
        >>> import numpy as np
        >>> right_order(np.array([1.0, 2.0, 2.0]), np.array([0.0, 1.0, 2.0]))
        0.8333333333333334
    """
    better = utility[:, None] > utility
    right = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    return float(right[better].mean()) if better.any() else float("nan")
