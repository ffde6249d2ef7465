"""Images whose pixels are labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from gennas.training.augment import Augmentation
from gennas.training.data.base import IGNORED, Batch, Examples, Part
from gennas.training.data.image import channel_scale, resize
from gennas.training.data.split import scaled_size

__all__ = ["UNLABELLED", "SegmentationData"]

UNLABELLED = 255
"""Class of pixels that count neither in the loss nor in a score; batches call it ``IGNORED`` (-100)."""


@dataclass(frozen=True, eq=False)
class SegmentationData(Examples):
    """Images ``x (n, c, h, w)`` and masks ``y (n, h, w)``, bytes: classes, and 255 where there is none.

    Images are normalised as in :class:`ImageData`. A crop and a mirror image change both alike; what a crop adds is
    labelled 255.
    """

    x: Mapping[Part, Tensor]
    y: Mapping[Part, Tensor]
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, x: Mapping[Part, Tensor], y: Mapping[Part, Tensor]) -> SegmentationData:
        """Measure mean and deviation of the training images and wrap the parts."""
        return cls(x, y, *channel_scale(x["train"]))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(channels, height, width)``."""
        return tuple(self.x["train"].shape[1:])

    def resized(self, scale: float) -> SegmentationData:
        """Images with antialiasing, masks by their nearest pixel."""
        size = [scaled_size(s, scale) for s in self.input_shape[1:]]
        masks = {
            part: functional.interpolate(y[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].to(y.dtype)
            for part, y in self.y.items()
        }
        return replace(self, x={part: resize(x, size) for part, x in self.x.items()}, y=masks)

    def batch(
        self, part: Part, index: Tensor, generator: torch.Generator | None, augmentation: Augmentation | None
    ) -> Batch:
        """The normalised images of a part at ``index``, and their masks as whole numbers."""
        images, masks = self.x[part][index].float(), self.y[part][index]
        if generator is not None and augmentation is not None:
            # Bytes shifted by one, 255 becoming 0: the zeros that a crop adds are unlabelled.
            both = augmentation(torch.cat([images, (masks + 1)[:, None].float()], dim=1), generator)
            images, masks = both[:, :-1], both[:, -1].to(torch.uint8) - 1
        y = masks.long().masked_fill(masks == UNLABELLED, IGNORED)
        normal = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return Batch((normal,), None, y)
