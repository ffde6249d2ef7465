"""Networks of TransNAS-Bench-101 (Duan et al. 2021, arXiv 2105.11871): stem, cells or residual blocks, head."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial, reduce

import torch
from torch import Tensor, nn

from gennas.spaces.nasbench201.networks import EDGES, relu_conv_bn
from gennas.spaces.parts import PLAIN, Parts, Size, sized
from gennas.spaces.spec import TaskSpec
from gennas.spaces.transnas.skeleton import Place


class TransNASNetwork(nn.Module):
    """Two 3x3 convolutions, blocks, average over all places, classifier: images become logits ``(b, classes)``.

    Args:
        width: channels of the stem.
        stem_strides: strides of its two convolutions.
        blocks: what stands between stem and head.
        outputs: channels of the last block.
        spec: the task.
        parts: what the classifier is made of.
    """

    def __init__(
        self,
        width: int,
        stem_strides: Sequence[int],
        blocks: Sequence[nn.Module] | nn.Sequential,
        outputs: Size,
        spec: TaskSpec,
        parts: Parts = PLAIN,
    ) -> None:
        super().__init__()
        first = nn.Conv2d(spec.input_shape[0], width // 2, 3, stem_strides[0], padding=1, bias=False)
        second = relu_conv_bn(width // 2, width, 3, stem_strides[1])
        self.stem = nn.Sequential(first, nn.BatchNorm2d(width // 2), second)
        self.blocks = blocks if isinstance(blocks, nn.Sequential) else nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = parts.linear(outputs, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head(self.blocks(self.stem(images))))
        return logits


class Cell(nn.Module):
    """Four nodes that sum what their incoming edges make of the nodes before; edges from the input change the shape.

    Args:
        parts: the operations of the edges.
        labels: their names.
        place: channels and published stride.
        stride: the stride that the image bears.
    """

    def __init__(self, parts: Parts, labels: Sequence[str], place: Place, stride: int) -> None:
        super().__init__()
        self.outputs, self.stride = place.outputs, stride
        self.operations = nn.ModuleDict()
        self.incoming: list[list[tuple[int, str]]] = [[], [], []]
        inner = Place(place.outputs, place.outputs, 1)
        for decision, (u, v) in enumerate(EDGES):
            here, by = (inner, 1) if u else (place, stride)
            make = partial(_labelled, labels, here, by)
            if (operation := parts.choice(decision, make)) is not None:
                self.operations[f"{u}_{v}"] = operation
                self.incoming[v - 1].append((u, f"{u}_{v}"))

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for edges in self.incoming:
            terms = [y for u, name in edges if (y := self.operations[name](nodes[u])) is not None]
            nodes.append(reduce(operator.add, terms) if terms else self._nothing(x))
        return nodes[-1]

    def _nothing(self, x: Tensor) -> Tensor:
        """Zeros of the shape that goes out."""
        return torch.zeros_like(x[:, :1, :: self.stride, :: self.stride]).repeat(1, self.outputs, 1, 1)


def _labelled(labels: Sequence[str], place: Place, stride: int, symbol: int) -> nn.Module | None:
    """The module of a symbol; None for ``none``."""
    return None if labels[symbol] == "none" else edge_operation(labels[symbol], place, stride)


def edge_operation(label: str, place: Place, stride: int) -> nn.Module:
    """The module of an operation other than ``none``; a skip that changes the shape is a factorised reduction."""
    if label == "skip_connect":
        return nn.Identity() if place.keeps_shape else FactorizedReduction(place.inputs, place.outputs, stride)
    return relu_conv_bn(place.inputs, place.outputs, 1 if label == "nor_conv_1x1" else 3, stride)


class FactorizedReduction(nn.Module):
    """ReLU, two 1x1 convolutions to half the channels each, the second on the grid shifted by one, batch norm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.relu, self.shift = nn.ReLU(), nn.ConstantPad2d((0, 1, 0, 1), 0.0)
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride, bias=False)
        self.odd = nn.Conv2d(inputs, outputs // 2, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        joined: Tensor = self.norm(torch.cat([self.even(x), self.odd(self.shift(x)[:, :, 1:, 1:])], dim=1))
        return joined


class ResidualBlock(nn.Module):
    """Two ReLU-convolution-norms and a shortcut, which is a 1x1 convolution with norm where the shape changes."""

    def __init__(self, inputs: Size, outputs: Size, stride: Size, parts: Parts = PLAIN) -> None:
        super().__init__()
        first = _elastic_conv_bn(inputs, outputs, 3, stride, parts)
        self.body = nn.Sequential(first, _elastic_conv_bn(outputs, outputs, 3, 1, parts))
        conv = parts.conv(inputs, outputs, 1, stride, bias=False)
        projection = nn.Sequential(conv, parts.batch_norm(outputs))
        keeps_shape = sized(lambda by, before, after: by == 1 and before == after, stride, inputs, outputs)
        self.shortcut = parts.alternative(keeps_shape, lambda keeps: nn.Identity() if keeps else projection)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


def _elastic_conv_bn(inputs: Size, outputs: Size, kernel: int, stride: Size, parts: Parts) -> nn.Sequential:
    """As :func:`~gennas.spaces.nasbench201.networks.relu_conv_bn`, of parts."""
    conv = parts.conv(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, parts.batch_norm(outputs))
