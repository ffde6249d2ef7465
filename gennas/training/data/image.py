"""Images with one label, or several numbers, each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from gennas.training.augment import Augmentation
from gennas.training.data.base import Batch, Examples, Part
from gennas.training.data.split import scaled_size

__all__ = ["ImageData", "channel_scale", "resize"]


@dataclass(frozen=True, eq=False)
class ImageData(Examples):
    """Images ``x (n, c, h, w)`` of any numeric type and labels ``y (n,)``, or numbers ``(n, k)``, of every part.

    Batches are normalised per channel with the mean and deviation of the training part alone;
    ``value_range`` is its smallest and its largest value: what 0 and 1 mean where pixels are measured in units.
    """

    x: Mapping[Part, Tensor]
    y: Mapping[Part, Tensor]
    mean: Tensor
    std: Tensor
    value_range: tuple[float, float]

    @classmethod
    def of(cls, x: Mapping[Part, Tensor], y: Mapping[Part, Tensor]) -> ImageData:
        """Measure mean and deviation of the training images and wrap the parts."""
        value_range = (float(x["train"].min()), float(x["train"].max()))
        return cls(x, y, *channel_scale(x["train"]), value_range)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(channels, height, width)``."""
        return tuple(self.x["train"].shape[1:])

    def normalise(self, images: Tensor) -> Tensor:
        """What networks are given for images ``(b, c, h, w)``: mean 0 and deviation 1 per channel."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def resized(self, scale: float) -> ImageData:
        """All images at ``scale`` times their height and width, with antialiasing."""
        size = [scaled_size(s, scale) for s in self.input_shape[1:]]
        return replace(self, x={part: resize(x, size) for part, x in self.x.items()})

    def batch(
        self, part: Part, index: Tensor, generator: torch.Generator | None, augmentation: Augmentation | None
    ) -> Batch:
        """The normalised images of a part at ``index``."""
        images = self.x[part][index].float()
        if generator is not None and augmentation is not None:
            images = augmentation(images, generator)
        return Batch((self.normalise(images),), None, self.y[part][index])


def channel_scale(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel, the second dimension; a constant channel has deviation 1.

    Shapes: ``x (n, c, ...)``; mean and deviation ``(1, c, 1, ...)``.
    """
    others = [d for d in range(x.ndim) if d != 1]
    shape = (1, -1, *[1] * (x.ndim - 2))
    chunks = [chunk.double() for chunk in torch.split(x, 4096)]
    count = sum(c.numel() // c.shape[1] for c in chunks)
    mean = torch.stack([c.sum(others) for c in chunks]).sum(0) / count
    square = torch.stack([((c - mean.view(shape)) ** 2).sum(others) for c in chunks]).sum(0)
    std = (square / count).sqrt()
    std = torch.where(std > 0, std, torch.ones_like(std))  # a constant channel stays zero
    return mean.float().view(shape), std.float().view(shape)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Images ``(n, c, h, w)`` as floats of another height and width, with antialiasing."""
    parts = [
        functional.interpolate(c.float(), tuple(size), mode="bilinear", antialias=True, align_corners=False)
        for c in torch.split(x, 4096)
    ]
    return torch.cat(parts)
