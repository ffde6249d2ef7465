"""Mean intersection over union: the score of segmentation."""

from __future__ import annotations

import torch
from torch import Tensor

from gennas.training.data.base import IGNORED
from gennas.training.scores.base import Score

__all__ = ["MeanIoU"]


class MeanIoU(Score):
    r"""Mean over classes of :math:`|P_c \cap Y_c| / |P_c \cup Y_c|`, pixels of all batches together.

    Everingham et al., "The Pascal Visual Object Classes Challenge", 2010. Classes that are neither predicted nor
    labelled anywhere are left out of the mean, and ``IGNORED`` pixels of everything.

    Example:
        >>> score = MeanIoU()
        >>> score.update(torch.eye(2)[torch.tensor([[[0, 1]]])], torch.tensor([[[0, 0]]]))
        >>> score.value()
        0.25
    """

    name = "miou"
    description = "mean intersection over union"

    def __init__(self) -> None:
        self._table = torch.zeros(0, 0, dtype=torch.long)  # labelled, predicted

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Count pixels by labelled and predicted class."""
        k, counted = logits.shape[-1], y != IGNORED
        pairs = y[counted] * k + logits.argmax(-1)[counted]
        table = torch.bincount(pairs, minlength=k * k).view(k, k)
        self._table = table if not self._table.numel() else self._table + table

    def value(self) -> float:
        """The mean over the classes that occur."""
        table = self._table.double()
        both = table.diag()
        either = table.sum(0) + table.sum(1) - both
        return float((both[either > 0] / either[either > 0]).mean())
