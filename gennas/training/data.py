"""Labelled data in memory, its three parts kept apart, and batches of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gennas.errors import ConfigError
from gennas.training.augment import Augmentation

__all__ = [
    "Batch",
    "ImageData",
    "NodeData",
    "PARTS",
    "Part",
    "TaskData",
    "scaled_size",
    "stratified_share",
    "stratified_split",
]

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


class Batch(NamedTuple):
    """Arguments of the network, the rows of its output that are labelled (None: all), their labels."""

    inputs: tuple[Tensor, ...]
    rows: Tensor | None
    y: Tensor


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images ``x (n, c, h, w)`` of any numeric type and labels ``y (n,)`` of every part.

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
        chunks = [chunk.double() for chunk in torch.split(x["train"], 4096)]
        count = sum(c.numel() // c.shape[1] for c in chunks)
        mean = torch.stack([c.sum((0, 2, 3)) for c in chunks]).sum(0) / count
        square = torch.stack([((c - mean.view(-1, 1, 1)) ** 2).sum((0, 2, 3)) for c in chunks]).sum(0)
        std = (square / count).sqrt()
        std = torch.where(std > 0, std, torch.ones_like(std))  # a constant channel stays zero
        value_range = (float(x["train"].min()), float(x["train"].max()))
        return cls(x, y, mean.float().view(1, -1, 1, 1), std.float().view(1, -1, 1, 1), value_range)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(channels, height, width)``."""
        return tuple(self.x["train"].shape[1:])

    def labels(self, part: Part) -> Tensor:
        """Labels of a part, ``(n,)``."""
        return self.y[part]

    def take(self, index: Tensor) -> ImageData:
        """Keep only the training examples at ``index``; the other parts stay whole."""
        return self.choose("train", index)

    def choose(self, part: Part, index: Tensor) -> ImageData:
        """Keep only the examples of a part at ``index``; the other parts stay whole."""
        x, y = self.x[part], self.y[part]
        index = index.to(y.device)
        return replace(self, x={**self.x, part: x[index]}, y={**self.y, part: y[index]})

    def normalise(self, images: Tensor) -> Tensor:
        """What networks are given for images ``(b, c, h, w)``: mean 0 and deviation 1 per channel."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def resized(self, scale: float) -> ImageData:
        """All images at ``scale`` times their height and width, with antialiasing."""
        return replace(self, x={part: _resize(x, scale) for part, x in self.x.items()})

    def to(self, device: torch.device) -> ImageData:
        """The same data on ``device``."""
        x = {part: t.to(device) for part, t in self.x.items()}
        y = {part: t.to(device) for part, t in self.y.items()}
        return replace(self, x=x, y=y, mean=self.mean.to(device), std=self.std.to(device))

    def batches(
        self,
        part: Part,
        batch_size: int,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> Iterator[Batch]:
        """Batches of a part: in order, or shuffled (and augmented) when a CPU ``generator`` is given.

        A shuffled pass leaves out a last batch of a single example, which batch normalisation
        cannot take.
        """
        x, y = self.x[part], self.y[part]
        order = torch.arange(len(y)) if generator is None else torch.randperm(len(y), generator=generator)
        for index in torch.split(order.to(y.device), batch_size):
            if generator is not None and len(index) == 1 < min(batch_size, len(y)):
                continue
            images = x[index].float()
            if generator is not None and augmentation is not None:
                images = augmentation(images, generator)
            yield Batch((self.normalise(images),), None, y[index])


@dataclass(frozen=True, eq=False)
class NodeData:
    """One graph: features ``x (n, f)``, ``edge_index (2, e)``, labels ``y (n,)`` and nodes of each part."""

    x: Tensor
    edge_index: Tensor
    y: Tensor
    nodes: Mapping[Part, Tensor]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(features,)``."""
        return (self.x.shape[1],)

    def labels(self, part: Part) -> Tensor:
        """Labels of a part, ``(n,)``."""
        return self.y[self.nodes[part]]

    def take(self, index: Tensor) -> NodeData:
        """Keep only the training nodes at ``index``; the graph and the other parts stay whole."""
        return self.choose("train", index)

    def choose(self, part: Part, index: Tensor) -> NodeData:
        """Keep only the nodes of a part at ``index``; the graph and the other parts stay whole."""
        nodes = self.nodes[part]
        return replace(self, nodes={**self.nodes, part: nodes[index.to(nodes.device)]})

    def resized(self, scale: float) -> NodeData:
        """Graphs have no resolution.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("A task on graph nodes has no resolution; leave fidelity.resolution at 1.")

    def to(self, device: torch.device) -> NodeData:
        """The same data on ``device``."""
        nodes = {part: index.to(device) for part, index in self.nodes.items()}
        return NodeData(self.x.to(device), self.edge_index.to(device), self.y.to(device), nodes)

    def batches(
        self,
        part: Part,
        batch_size: int,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> Iterator[Batch]:
        """The whole graph as one batch, with the rows of the part."""
        yield Batch((self.x, self.edge_index), self.nodes[part], self.labels(part))


TaskData: TypeAlias = ImageData | NodeData


def scaled_size(size: int, scale: float) -> int:
    """Pixels left of ``size``, at least one."""
    return max(1, round(size * scale))


def stratified_share(y: Tensor, fraction: float, seed: int) -> Tensor:
    """Indices, ascending, of a share of every class and at least one example of each.

    For one ``seed`` a smaller share is part of a larger one.
    """
    rank, size = _class_ranks(y, seed)
    return torch.nonzero(((rank + 0.5) / size < fraction) | (rank == 0)).flatten()


def stratified_split(y: Tensor, fractions: tuple[float, ...], seed: int) -> list[Tensor]:
    """Split examples into parts of the given shares, class by class; indices of each part, ascending.

    Example:
        >>> parts = stratified_split(torch.tensor([0, 0, 0, 0, 1, 1]), (0.5, 0.5), seed=0)
        >>> [len(part) for part in parts]
        [3, 3]
    """
    bounds = torch.tensor(fractions, dtype=torch.float64).cumsum(0)[:-1]
    rank, size = _class_ranks(y, seed)
    which = torch.bucketize((rank + 0.5) / size, bounds, right=True)
    return [torch.nonzero(which == part).flatten() for part in range(len(fractions))]


def _class_ranks(y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Place of each example in a random order of its class, and the size of that class, ``(n,)`` each."""
    labels = y.cpu().numpy()
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
    rank = np.empty(len(labels))
    rank[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
    return torch.from_numpy(rank), torch.from_numpy(np.bincount(labels)[labels])


def _resize(x: Tensor, scale: float) -> Tensor:
    size = tuple(scaled_size(s, scale) for s in x.shape[-2:])
    parts = [
        functional.interpolate(c.float(), size, mode="bilinear", antialias=True, align_corners=False)
        for c in torch.split(x, 4096)
    ]
    return torch.cat(parts)
