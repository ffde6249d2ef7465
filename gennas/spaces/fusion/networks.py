"""Networks of the fusion space: small encoders of two inputs, fusion cells, a classifier."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts import Parts, added, ends, sources_of, taken
from gennas.spaces.spec import TaskSpec

__all__ = ["Encoder", "FusionCell", "FusionNetwork", "encoder_parameters"]

_TOKENS = 4
_STAGES = 4


class FusionNetwork(nn.Module):
    """Inputs ``(b, …)`` and ``(b, …)`` become logits ``(b, classes)``.

    Args:
        cells: for each cell, how it is made and the edges by which it reads two of the outputs before it.
        spec: the task.
        width: numbers in a token.
        parts: what it is made of.
    """

    def __init__(
        self,
        cells: Sequence[tuple[Callable[[], nn.Module | None], Mapping[int, int | None]]],
        spec: TaskSpec,
        width: int,
        parts: Parts,
    ) -> None:
        super().__init__()
        self.first, self.second = Encoder(spec.input_shape, width), Encoder(spec.second_shape, width)
        self.sources = sources_of(parts, [edges for _, edges in cells])
        self.cells = nn.ModuleList(make() for make, _ in cells)
        self.classifier = nn.Linear(len(cells) * width, spec.num_outputs)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        encoded = (self.first(first), self.second(second))
        outputs = [features[i] for features in encoded for i in range(_STAGES)]
        for cell, sources in zip(self.cells, self.sources, strict=True):
            one, other = ends(taken(sources))
            outputs.append(cell(added(outputs, one), added(outputs, other)))
        logits: Tensor = self.classifier(torch.cat([y.mean(1) for y in outputs[2 * _STAGES :]], dim=1))
        return logits


class Encoder(nn.Module):
    """Four features ``(b, 4, width)`` of one input: of convolutions for images ``(b, c, h, w)``, else of linear layers.

    Every convolution halves an image that has at least four pixels on its shorter side.
    """

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.width, self.sees_images = width, len(shape) == 3
        stages: list[nn.Module] = []
        inputs, side = (shape[0], min(shape[1:])) if self.sees_images else (math.prod(shape), 0)
        outputs = width if self.sees_images else _TOKENS * width
        for _ in range(_STAGES):
            if self.sees_images:
                stride = 2 if side >= 4 else 1
                conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
                stages.append(nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU()))
                side = -(-side // stride)
            else:
                stages.append(nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU()))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        x = x if self.sees_images else x.flatten(1)
        for stage in self.stages:
            x = stage(x)
            if self.sees_images:
                features.append(functional.adaptive_avg_pool2d(x, 2).flatten(2).transpose(1, 2))
            else:
                features.append(x.view(-1, _TOKENS, self.width))
        return features


class FusionCell(nn.Module):
    """An operation on two features ``(b, 4, width)``, and a layer norm."""

    def __init__(self, operation: str, width: int) -> None:
        super().__init__()
        self.operation = operation
        outputs = {"linear-glu": 2 * width, "concat-fc": width}.get(operation)
        self.linear = None if outputs is None else nn.Linear(2 * width, outputs)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if self.operation == "sum":
            z = x + y
        elif self.operation == "attention":
            z = functional.softmax(x @ y.transpose(1, 2) / x.shape[-1] ** 0.5, dim=-1) @ y
        else:
            assert self.linear is not None
            z = self.linear(torch.cat([x, y], dim=-1))
            z = functional.glu(z) if self.operation == "linear-glu" else functional.relu(z)
        normed: Tensor = self.norm(z)
        return normed


def encoder_parameters(shape: tuple[int, ...], width: int) -> int:
    """Parameters of an :class:`Encoder`."""
    if len(shape) == 3:
        return 9 * width * (shape[0] + (_STAGES - 1) * width) + _STAGES * 2 * width
    outputs = _TOKENS * width
    return (math.prod(shape) + 1) * outputs + (_STAGES - 1) * (outputs + 1) * outputs + _STAGES * 2 * outputs
