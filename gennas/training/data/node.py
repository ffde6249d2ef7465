"""One graph whose nodes are labelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gennas.training.augment import Augmentation
from gennas.training.data.base import Batch, Moving, Part
from gennas.training.data.split import stratified_share

__all__ = ["NodeData"]


@dataclass(frozen=True, eq=False)
class NodeData(Moving):
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

    def num_batches(self, part: Part, batch_size: int) -> int:
        """One: the graph is a batch, whatever its size."""
        return 1

    def choose(self, part: Part, index: Tensor) -> NodeData:
        """Keep only the nodes of a part at ``index``; the graph and the other parts stay whole."""
        nodes = self.nodes[part]
        return replace(self, nodes={**self.nodes, part: nodes[index.to(nodes.device)]})

    def take(self, index: Tensor) -> NodeData:
        """Keep only the training nodes at ``index``; the graph and the other parts stay whole."""
        return self.choose("train", index)

    def share(self, fraction: float, seed: int) -> NodeData:
        """Keep a stratified share of the training nodes; the graph stays whole."""
        return self.take(stratified_share(self.labels("train"), fraction, seed))

    def batches(
        self,
        part: Part,
        batch_size: int,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> Iterator[Batch]:
        """The whole graph as one batch, with the rows of the part."""
        yield Batch((self.x, self.edge_index), self.nodes[part], self.labels(part))
