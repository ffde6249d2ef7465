"""Examples of two inputs, such as two modalities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gennas.training.augment import Augmentation
from gennas.training.data.base import Batch, Examples, Part
from gennas.training.data.image import channel_scale

__all__ = ["PairData"]


@dataclass(frozen=True, eq=False)
class PairData(Examples):
    """Inputs ``first (n, ...)`` and ``second (n, ...)`` and labels ``y (n,)`` of every part.

    Each input is normalised by mean and deviation of its channels (the first dimension of an example) in the
    training part.
    """

    first: Mapping[Part, Tensor]
    second: Mapping[Part, Tensor]
    y: Mapping[Part, Tensor]
    mean: tuple[Tensor, Tensor]
    std: tuple[Tensor, Tensor]

    indexed: ClassVar[tuple[str, ...]] = ("first", "second", "y")

    @classmethod
    def of(cls, first: Mapping[Part, Tensor], second: Mapping[Part, Tensor], y: Mapping[Part, Tensor]) -> PairData:
        """Measure mean and deviation of the training inputs and wrap the parts."""
        (m1, s1), (m2, s2) = channel_scale(first["train"]), channel_scale(second["train"])
        return cls(first, second, y, (m1, m2), (s1, s2))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one first input."""
        return tuple(self.first["train"].shape[1:])

    @property
    def second_shape(self) -> tuple[int, ...]:
        """Shape of one second input."""
        return tuple(self.second["train"].shape[1:])

    def batch(
        self, part: Part, index: Tensor, generator: torch.Generator | None, augmentation: Augmentation | None
    ) -> Batch:
        """Both normalised inputs of a part at ``index``."""
        given = self.first[part][index].float(), self.second[part][index].float()
        normal = [(x - mean) / std for x, mean, std in zip(given, self.mean, self.std, strict=True)]
        return Batch(tuple(normal), None, self.y[part][index])
