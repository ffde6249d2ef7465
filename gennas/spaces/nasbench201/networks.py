"""Networks of NAS-Bench-201 (Dong and Yang 2020, arXiv 2001.00326, figure 1 and section 2.1)."""

from __future__ import annotations

import operator
from functools import reduce

import torch
from torch import Tensor, nn

from gennas.runtime.copies import redrawn
from gennas.spaces.nasbench201.space import OPERATIONS
from gennas.spaces.parts import Parts
from gennas.spaces.spec import TaskSpec

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # in the order of decisions


class NASBench201Network(nn.Module):
    """Stem, three stages of equal cells at C, 2C and 4C channels, a residual block before stages 2 and 3, head.

    Every edge that is not ``none`` gets its own weights, also where it leads nowhere: parameters and
    FLOPs are those of the published networks. Images ``(b, channels, h, w)`` become logits ``(b, classes)``.
    """

    def __init__(self, parts: Parts, spec: TaskSpec, num_cells: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(spec.image_channels("nasbench201"), width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        widths = (width, 2 * width, 4 * width)
        self.stages = nn.Sequential(*[stage(Cell(parts, c), num_cells) for c in widths])
        self.reductions = nn.Sequential(nn.Identity(), *[Reduction(c) for c in widths[:2]])
        self.head = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(widths[-1], spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for reduction, cells in zip(self.reductions, self.stages, strict=True):
            x = cells(reduction(x))
        logits: Tensor = self.classifier(self.head(x))
        return logits


def stage(cell: nn.Module, num_cells: int) -> nn.Sequential:
    """Cells like the first, each with weights of its own."""
    return nn.Sequential(cell, *[redrawn(cell) for _ in range(num_cells - 1)])


class Cell(nn.Module):
    """Four nodes; each sums what its incoming edges make of the nodes before it."""

    def __init__(self, parts: Parts, channels: int) -> None:
        super().__init__()
        self.operations = nn.ModuleDict()
        self.incoming: list[list[tuple[int, str]]] = [[], [], []]
        seen = parts.share(channels)
        for decision, (u, v) in enumerate(EDGES):
            operation = parts.choice(decision, lambda symbol: edge_operation(OPERATIONS[symbol], seen))
            if operation is not None:
                self.operations[f"{u}_{v}"] = operation
                self.incoming[v - 1].append((u, f"{u}_{v}"))

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for edges in self.incoming:
            terms = [y for u, name in edges if (y := self.operations[name](nodes[u])) is not None]
            # the operator, not torch.add: INT8 quantisation takes all calls of a function for one
            nodes.append(reduce(operator.add, terms) if terms else torch.zeros_like(x))
        return nodes[-1]


def edge_operation(label: str, channels: int) -> nn.Module | None:
    """The module of an operation, which keeps the shape; None for ``none``."""
    match label:
        case "none":
            return None
        case "skip_connect":
            return nn.Identity()
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        case "nor_conv_1x1":
            return relu_conv_bn(channels, channels, 1, 1)
        case _:
            return relu_conv_bn(channels, channels, 3, 1)


def relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """The pre-activation convolution of the benchmark, without bias."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(outputs))


class Reduction(nn.Module):
    """A residual block that doubles the channels and halves the resolution (rounding up)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            relu_conv_bn(channels, 2 * channels, 3, 2), relu_conv_bn(2 * channels, 2 * channels, 3, 1)
        )
        # ceil_mode: odd resolutions fit the strided convolution; nothing changes at even ones
        pool = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(channels, 2 * channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.residual(x)
        return total
