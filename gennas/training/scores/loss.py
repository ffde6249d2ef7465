"""The mean loss of a part, and the same in the units of language models."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from gennas.training.scores.base import Score
from gennas.training.scores.losses import count_labels, cross_entropy

__all__ = ["BitsPerToken", "Loss", "Perplexity"]


class Loss(Score):
    r"""Mean cross-entropy in nats, :math:`-\frac1n \sum_i \ln p(y_i)`.

    Args:
        loss: another function of :mod:`gennas.training.scores.losses`.
    """

    name = "loss"
    direction = "min"
    unit = "nats"
    description = "cross-entropy"
    bounds = (0.0, math.inf)

    def __init__(self, loss: Callable[..., Tensor] = cross_entropy) -> None:
        self._loss = loss
        self._total: Tensor | int = 0
        self._count: Tensor | int = 0

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Add the losses of a batch."""
        self._total = self._total + self._loss(logits, y, reduction="sum")
        self._count = self._count + count_labels(y)

    def value(self) -> float:
        """Their mean."""
        return float(self._total) / float(self._count)


class Perplexity(Loss):
    r"""Perplexity, :math:`\exp` of the loss."""

    name = "perplexity"
    unit = ""
    description = "perplexity"
    bounds = (1.0, math.inf)

    def value(self) -> float:
        """``exp(loss)``; infinite where that is beyond float64."""
        loss = super().value()
        return math.exp(loss) if loss < 709 else math.inf


class BitsPerToken(Loss):
    r"""Bits per token, the loss divided by :math:`\ln 2`; bits per character where tokens are characters."""

    name = "bits"
    unit = "bits"
    description = "bits per token"

    def value(self) -> float:
        """``loss / ln 2``."""
        return super().value() / math.log(2)
