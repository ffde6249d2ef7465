"""Networks around dense prediction cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts import Parts, added, sources_of, taken
from gennas.spaces.spec import TaskSpec

__all__ = ["DensePredictionNetwork", "PyramidPooling", "branch"]


class DensePredictionNetwork(nn.Module):
    """Images ``(b, c, h, w)`` become logits of every pixel, ``(b, classes, h, w)``.

    The first convolution halves images of at least 8 pixels on the shorter side, the second those of at least 16.

    Args:
        branches: for each branch, how it is made and the edges of which one says what it reads.
        spec: the task.
        width: channels.
        parts: what it is made of.
    """

    def __init__(
        self,
        branches: Sequence[tuple[Callable[[], nn.Module | None], Mapping[int, int | None]]],
        spec: TaskSpec,
        width: int,
        parts: Parts,
    ) -> None:
        super().__init__()
        images, *size = spec.input_shape
        halvings = [2 if min(size) >= least else 1 for least in (8, 16)]
        self.backbone = nn.Sequential(
            *conv_bn_relu(images, width // 2, 3, halvings[0]),
            *conv_bn_relu(width // 2, width, 3, halvings[1]),
            *conv_bn_relu(width, width, 3),
            *conv_bn_relu(width, width, 3),
        )
        self.sources = sources_of(parts, [edges for _, edges in branches])
        self.branches = nn.ModuleList(make() for make, _ in branches)
        self.head = nn.Sequential(*conv_bn_relu(len(branches) * width, width, 1))
        self.classifier = nn.Conv2d(width, spec.num_outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        outputs = [self.backbone(images)]
        for module, sources in zip(self.branches, self.sources, strict=True):
            outputs.append(module(added(outputs, taken(sources))))
        logits = self.classifier(self.head(torch.cat(outputs[1:], dim=1)))
        return functional.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)


def branch(operation: str, width: int) -> nn.Module:
    """The module of an operation such as ``conv1x1``, ``sep6x21`` or ``pool2x2``."""
    if operation == "conv1x1":
        return nn.Sequential(*conv_bn_relu(width, width, 1))
    first, second = (int(number) for number in operation.lstrip("abcdefghijklmnopqrstuvwyz").split("x"))
    if operation.startswith("pool"):
        return PyramidPooling((first, second), width)
    rates = (first, second)
    depthwise = nn.Conv2d(width, width, 3, padding=rates, dilation=rates, groups=width, bias=False)
    return nn.Sequential(depthwise, *conv_bn_relu(width, width, 1))


class PyramidPooling(nn.Module):
    """Means over a grid, a 1x1 convolution, and back to the size of the features."""

    def __init__(self, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.grid = grid
        self.body = nn.Sequential(*conv_bn_relu(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        means = self.body(functional.adaptive_avg_pool2d(x, self.grid))
        return functional.interpolate(means, x.shape[-2:], mode="bilinear", align_corners=False)


def conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution without bias, batch normalisation, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
