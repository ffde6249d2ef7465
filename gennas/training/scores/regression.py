"""Scores of numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gennas.training.scores.base import Score

__all__ = ["R2", "MeanSquaredError"]


class MeanSquaredError(Score):
    """Mean squared error, over examples and numbers; targets are in units of their deviation in the training part."""

    name = "mse"
    direction = "min"
    unit = "variance"
    description = "mean squared error (1 = variance of the training targets)"
    bounds = (0.0, math.inf)

    def __init__(self) -> None:
        self._total: Tensor | float = 0.0
        self._count = 0

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Add the errors of a batch."""
        self._total = self._total + (logits.double() - y.double()).square().mean(-1).sum()
        self._count += len(y)

    def value(self) -> float:
        """Their mean."""
        return float(self._total) / self._count


class R2(Score):
    r"""Coefficient of determination :math:`1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2`, the mean over numbers.

    0 is what the mean of the part would get, 1 is exact. NaN where a part has one value only.
    """

    name = "r2"
    unit = ""
    description = "coefficient of determination"
    bounds = (-math.inf, 1.0)

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Keep a batch."""
        self._outputs.append(logits.double())
        self._targets.append(y.double())

    def value(self) -> float:
        """The mean over the numbers of an example."""
        outputs, targets = torch.cat(self._outputs), torch.cat(self._targets)
        errors = (outputs - targets).square().sum(0)
        return float((1 - errors / (targets - targets.mean(0)).square().sum(0)).mean())
