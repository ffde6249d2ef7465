"""Networks of the DARTS space (Liu et al. 2019, arXiv 1806.09055, appendix A.2)."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial, reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.darts.counting import cell_plan
from gennas.spaces.darts.genotype import NODES
from gennas.spaces.parts import Parts
from gennas.spaces.spec import TaskSpec

__all__ = ["AUXILIARY_WEIGHT", "DARTSNetwork"]

AUXILIARY_WEIGHT = 0.4


class DARTSNetwork(nn.Module):
    """Stem, cells of which two reduce, mean over the image, linear classifier: ``(b, c, h, w)`` to ``(b, classes)``.

    The forward pass returns the logits alone, in every mode. A trainer that finds the attribute ``auxiliary_logits``
    filled after a pass adds ``auxiliary_weight`` times their loss to the loss; it is None in evaluation mode and where
    there is no auxiliary head. A trainer calls ``set_progress(share)`` with the share of the training that is done,
    where the method is there: paths are dropped with the probability ``share * drop_path``.
    """

    auxiliary_weight = AUXILIARY_WEIGHT

    def __init__(
        self,
        parts: Parts,
        labels: Sequence[str],
        spec: TaskSpec,
        num_cells: int,
        width: int,
        auxiliary: bool = False,
        drop_path: float = 0.0,
        stem: str = "cifar",
    ) -> None:
        super().__init__()
        images, height, breadth = spec.input_shape
        self.auxiliary_logits: Tensor | None = None
        self.drop_path, self.auxiliary_after = drop_path, 2 * num_cells // 3
        if stem == "cifar":
            self.stem = nn.Sequential(nn.Conv2d(images, 3 * width, 3, padding=1, bias=False), nn.BatchNorm2d(3 * width))
            self.second_stem: nn.Module = nn.Identity()
        else:
            self.stem = nn.Sequential(
                *_conv_bn(images, width // 2, 3, 2), nn.ReLU(), *_conv_bn(width // 2, width, 3, 2)
            )
            self.second_stem = nn.Sequential(nn.ReLU(), *_conv_bn(width, width, 3, 2))
        plan = cell_plan(num_cells, width, stem)
        self.cells = nn.ModuleList(
            Cell(parts, labels, before, last, channels, reduces, reduced)
            for before, last, channels, reduces, reduced in plan
        )
        self.classifier = nn.Linear(4 * plan[-1][2], spec.num_outputs)
        shrinks = 4 if stem == "cifar" else 32
        size = (-(-height // shrinks), -(-breadth // shrinks))
        self.auxiliary_head = (
            _auxiliary_head(4 * plan[self.auxiliary_after][2], spec.num_outputs, size) if auxiliary else None
        )

    def set_progress(self, share: float) -> None:
        """Say which share of the training is done, in [0, 1]: paths are dropped the more often."""
        for cell in self.modules():
            if isinstance(cell, Cell):
                cell.drop_probability = share * self.drop_path

    def forward(self, images: Tensor) -> Tensor:
        before = self.stem(images)
        last = self.second_stem(before)
        self.auxiliary_logits = None
        for i, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if i == self.auxiliary_after and self.auxiliary_head is not None and self.training:
                self.auxiliary_logits = self.auxiliary_head(last)
        logits: Tensor = self.classifier(functional.adaptive_avg_pool2d(last, 1).flatten(1))
        return logits


class Cell(nn.Module):
    """Four nodes, each the sum of the operations on its edges; their outputs are concatenated.

    Args:
        parts: the operations; decisions are the edges into the nodes, first of normal cells, then of reductions.
        labels: their names.
        before: channels that come from the last cell but one.
        last: channels that come from the last cell.
        channels: of every node.
        reduces: whether operations on the inputs have stride 2.
        reduced: whether the last cell was a reduction, so that its input is twice as large.
    """

    def __init__(
        self,
        parts: Parts,
        labels: Sequence[str],
        before: int,
        last: int,
        channels: int,
        reduces: bool,
        reduced: bool,
    ) -> None:
        super().__init__()
        self.drop_probability = 0.0
        self.inputs = nn.ModuleList(
            [
                FactorizedReduce(before, channels) if reduced else _relu_conv_bn(before, channels),
                _relu_conv_bn(last, channels),
            ]
        )
        self.edges: list[tuple[int, int]] = []  # source and target of every operation
        made: list[nn.Module] = []
        places = [(u, v) for v in NODES for u in range(v)]
        for i, (u, v) in enumerate(places):
            stride = 2 if reduces and u < 2 else 1
            make = partial(_labelled, labels, parts.share(channels), stride)
            if (operation := parts.choice(i + len(places) * reduces, make)) is not None:
                self.edges.append((u, v))
                made.append(operation)
        self.operations = parts.edges(made)

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        nodes = [self.inputs[0](before), self.inputs[1](last)]
        for v in NODES:
            into = [e for e, (_, target) in enumerate(self.edges) if target == v]
            terms = [y for e in into if (y := self._edge(e, nodes)) is not None]
            nodes.append(reduce(operator.add, terms))
        return torch.cat(nodes[2:], dim=1)

    def _edge(self, e: int, nodes: list[Tensor]) -> Tensor | None:
        operation = self.operations[e]
        y: Tensor | None = operation(nodes[self.edges[e][0]])
        if y is None:  # a place of a shared network where nothing stands
            return None
        if self.training and self.drop_probability > 0 and not isinstance(operation, nn.Identity):
            keep = 1 - self.drop_probability
            y = y * (torch.rand(len(y), 1, 1, 1, device=y.device) < keep) / keep
        return y


def _labelled(labels: Sequence[str], channels: int, stride: int, symbol: int) -> nn.Module | None:
    """The module of a symbol; None for ``none``."""
    return edge_operation(labels[symbol], channels, stride) if symbol else None


def edge_operation(operation: str, channels: int, stride: int) -> nn.Module:
    """The module of an operation."""
    name, _, kernel = operation.rpartition("_")
    size = int(kernel[0]) if kernel[0].isdigit() else 0
    match name:
        case "skip":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
        case "max_pool":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "dil_conv":
            return nn.Sequential(*_depthwise_pointwise(channels, size, stride, dilation=2))
        case _:
            return nn.Sequential(
                *_depthwise_pointwise(channels, size, stride), *_depthwise_pointwise(channels, size, 1)
            )


class FactorizedReduce(nn.Module):
    """Half the size: two 1x1 convolutions of stride 2 on grids that lie one pixel apart, concatenated."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]  # the padding counts at odd sizes only
        y: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return y


def _depthwise_pointwise(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    depthwise = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)
    return [nn.ReLU(), depthwise, nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)]


def _relu_conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *_conv_bn(inputs, outputs, 1, 1))


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def _auxiliary_head(channels: int, classes: int, size: tuple[int, int]) -> nn.Sequential:
    """The published head, which pools 8x8 (CIFAR) or 7x7 (ImageNet) to 2x2; other sizes are pooled to that evenly."""
    side = size[0]
    published = size[0] == size[1] and 6 <= side <= 8
    pool: nn.Module = (
        nn.AvgPool2d(5, stride=side - 5, count_include_pad=False) if published else nn.AdaptiveAvgPool2d(2)
    )
    return nn.Sequential(
        nn.ReLU(),
        pool,
        nn.Conv2d(channels, 128, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        nn.BatchNorm2d(768),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, classes),
    )
