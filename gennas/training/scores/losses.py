"""Losses of outputs whose classes, or numbers, stand in the last dimension."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

from gennas.training.data.base import IGNORED

__all__ = ["count_labels", "cross_entropy", "squared_error"]

Reduction = Literal["mean", "sum"]


def cross_entropy(logits: Tensor, y: Tensor, *, label_smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
    """Cross-entropy in nats over all labels but the ``IGNORED``.

    Shapes: ``logits (..., k)``, ``y (...)``.
    """
    return functional.cross_entropy(
        logits.flatten(0, -2), y.flatten(), ignore_index=IGNORED, label_smoothing=label_smoothing, reduction=reduction
    )


def squared_error(outputs: Tensor, y: Tensor, *, label_smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
    """Squared error, the mean over the ``k`` numbers of an example; there are no labels to smooth.

    Shapes: ``outputs (b, k)``, ``y (b, k)``.
    """
    errors = (outputs - y).square().mean(-1)
    return errors.mean() if reduction == "mean" else errors.sum()


def count_labels(y: Tensor) -> Tensor | int:
    """How many labels the sum of :func:`cross_entropy` is over, or examples that of :func:`squared_error`."""
    return len(y) if y.is_floating_point() else (y != IGNORED).sum()
