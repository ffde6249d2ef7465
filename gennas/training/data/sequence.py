"""Rows of tokens with one label each, or with one label for each token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gennas.training.augment import Augmentation
from gennas.training.data.base import Batch, Examples, Part
from gennas.training.data.split import scaled_size

__all__ = ["SequenceData"]


@dataclass(frozen=True, eq=False)
class SequenceData(Examples):
    """Tokens ``x (n, T)``, padded with 0, and labels ``y``: ``(n,)`` of texts, ``(n, T)`` of tokens.

    The label of padding, and of whatever else shall not count, is ``IGNORED`` (-100).
    """

    x: Mapping[Part, Tensor]
    y: Mapping[Part, Tensor]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(length,)``."""
        return tuple(self.x["train"].shape[1:])

    def shortened(self, scale: float) -> SequenceData:
        """The beginning of every row, ``scale`` times as long."""
        length = scaled_size(self.input_shape[0], scale)
        x = {part: tokens[:, :length] for part, tokens in self.x.items()}
        return replace(self, x=x, y={part: y[:, :length] if y.ndim == 2 else y for part, y in self.y.items()})

    def batch(
        self, part: Part, index: Tensor, generator: torch.Generator | None, augmentation: Augmentation | None
    ) -> Batch:
        """The rows of a part at ``index``."""
        return Batch((self.x[part][index].long(),), None, self.y[part][index].long())
