"""Networks of NAS-Bench-101 (Ying et al. 2019, arXiv 1902.09635, sections 2.1 to 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.spaces.spec import TaskSpec


class NASBench101Network(nn.Module):
    """Stem, stacks of equal cells, 2x2 maximum pooling and doubled channels between stacks, mean, linear.

    Images ``(b, channels, h, w)`` become logits ``(b, classes)``. Batch norm keeps PyTorch's momentum:
    the published 0.997 needs thousands of steps before the running statistics can be used.
    """

    def __init__(
        self,
        adjacency: NDArray[np.int8],
        operations: Sequence[str],
        spec: TaskSpec,
        width: int,
        num_stacks: int,
        num_cells: int,
    ) -> None:
        super().__init__()
        self.stem = conv_bn_relu(spec.image_channels("nasbench101"), width, 3)
        layers: list[nn.Module] = []
        inputs = width
        for stack in range(num_stacks):
            outputs = width * 2**stack
            if stack:
                # ceil_mode is the "same" padding of the published code: odd resolutions round up
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            for _ in range(num_cells):
                layers.append(Cell(adjacency, operations, inputs, outputs))
                inputs = outputs
        self.cells = nn.Sequential(*layers)
        self.classifier = nn.Linear(inputs, spec.num_outputs)
        self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        features = self.cells(self.stem(images)).mean((2, 3))
        logits: Tensor = self.classifier(features)
        return logits


class Cell(nn.Module):
    """One cell: vertices sum their inputs, cut to their own channels; the output concatenates its inputs.

    What leaves the cell's input passes a 1x1 projection, also the edge to the output, which is added.
    """

    def __init__(self, adjacency: NDArray[np.int8], operations: Sequence[str], inputs: int, outputs: int) -> None:
        super().__init__()
        last = len(adjacency) - 1
        self.channels = vertex_channels(adjacency, inputs, outputs)
        self.sources = [[u for u in range(1, v) if adjacency[u, v]] for v in range(last + 1)]
        self.projections = nn.ModuleDict(
            {str(v): conv_bn_relu(inputs, self.channels[v], 1) for v in range(1, last + 1) if adjacency[0, v]}
        )
        self.vertices = nn.ModuleList(vertex(operations[v], self.channels[v]) for v in range(1, last))

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for v, operation in enumerate(self.vertices, start=1):
            parts = [values[u][:, : self.channels[v]] for u in self.sources[v]]
            values.append(operation(self._add_input(parts, x, v)))
        joined = [torch.cat([values[u] for u in self.sources[-1]], dim=1)] if self.sources[-1] else []
        return self._add_input(joined, x, len(self.channels) - 1)

    def _add_input(self, parts: list[Tensor], x: Tensor, v: int) -> Tensor:
        projected = [self.projections[str(v)](x)] if str(v) in self.projections else []
        total: Tensor = reduce(torch.add, parts + projected)
        return total


def vertex_channels(adjacency: NDArray[np.int8], inputs: int, outputs: int) -> list[int]:
    """Channels of every vertex of a pruned cell.

    The vertices before the output share its channels evenly, the first ones taking one more while a
    remainder lasts; any other vertex has as many as the widest vertex that it feeds.

    Example:
        >>> chain_and_skip = np.triu(np.ones((4, 4), dtype=np.int8), 1)
        >>> vertex_channels(chain_and_skip, 8, 9)
        [8, 5, 4, 9]
    """
    last = len(adjacency) - 1
    channels = [inputs, *[0] * (last - 1), outputs]
    direct = [v for v in range(1, last) if adjacency[v, last]]
    for rank, v in enumerate(direct):
        channels[v] = outputs // len(direct) + (rank < outputs % len(direct))
    for v in range(last - 1, 0, -1):
        if not adjacency[v, last]:
            channels[v] = max(channels[w] for w in range(v + 1, last) if adjacency[v, w])
    return channels


def vertex(operation: str, channels: int) -> nn.Module:
    """The module of an interior vertex, which keeps the shape."""
    match operation:
        case "conv3x3-bn-relu":
            return conv_bn_relu(channels, channels, 3)
        case "conv1x1-bn-relu":
            return conv_bn_relu(channels, channels, 1)
        case _:
            return nn.MaxPool2d(3, stride=1, padding=1)


def conv_bn_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU; the resolution stays."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def initialise(module: nn.Module) -> None:
    """Variance-scaled convolutions (He et al. 2015, arXiv 1502.01852)."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
