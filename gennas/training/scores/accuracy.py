"""Shares of examples, or of tokens, whose most probable class is the right one."""

from __future__ import annotations

from torch import Tensor

from gennas.training.data.base import IGNORED
from gennas.training.scores.base import Score

__all__ = ["Accuracy", "TokenAccuracy"]


class Accuracy(Score):
    """Share of labels that the largest logit names; what is ``IGNORED`` is left out.

    Example:
        >>> import torch
        >>> score = Accuracy()
        >>> score.update(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
        >>> score.value()
        0.5
    """

    name = "accuracy"
    description = "accuracy"

    def __init__(self) -> None:
        self._right: Tensor | int = 0
        self._count: Tensor | int = 0

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Count the right ones."""
        self._right = self._right + (logits.argmax(-1) == y).sum()
        self._count = self._count + (y != IGNORED).sum()

    def value(self) -> float:
        """Right ones of those that count."""
        return float(self._right) / float(self._count)


class TokenAccuracy(Accuracy):
    """Accuracy over tokens."""

    name = "token_accuracy"
    description = "accuracy over tokens"
