"""Many small graphs with one label each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gennas.training.augment import Augmentation
from gennas.training.data.base import Batch, Examples, Part

__all__ = ["GraphData"]


@dataclass(frozen=True, eq=False)
class GraphData(Examples):
    """All graphs one after the other; a batch is their disjoint union, as torch-geometric makes it.

    Args:
        x: features of all nodes, ``(n, f)``.
        edge_index: edges of all graphs, ``(2, e)``, numbered within their graph.
        nodes: first node and number of nodes of each graph, ``(g, 2)``.
        edges: first edge and number of edges of each graph, ``(g, 2)``.
        graphs: which graphs belong to each part.
        y: their labels.

    Shapes: a batch of ``b`` graphs has inputs ``x (n, f)``, ``edge_index (2, e)``, ``batch (n,)``.
    """

    x: Tensor
    edge_index: Tensor
    nodes: Tensor
    edges: Tensor
    graphs: Mapping[Part, Tensor]
    y: Mapping[Part, Tensor]

    indexed: ClassVar[tuple[str, ...]] = ("graphs", "y")

    @classmethod
    def of(cls, parts: Mapping[Part, Iterable[tuple[Tensor, Tensor, int]]]) -> GraphData:
        """Join graphs ``(x, edge_index, label)`` of every part.

        Example:
            >>> pair = (torch.ones(2, 1), torch.tensor([[0, 1], [1, 0]]), 0)
            >>> data = GraphData.of({"train": [pair, pair], "validation": [pair], "test": [pair]})
            >>> next(data.batches("train", 2)).inputs[1:]
            (tensor([[0, 1, 2, 3],
                    [1, 0, 3, 2]]), tensor([0, 0, 1, 1]))
        """
        known = {part: list(graphs) for part, graphs in parts.items()}
        flat = [graph for graphs in known.values() for graph in graphs]
        places, start = {}, 0
        for part, graphs in known.items():
            places[part] = torch.arange(start, start + len(graphs))
            start += len(graphs)
        nodes, edges = (
            torch.stack([sizes.cumsum(0) - sizes, sizes], dim=1)
            for sizes in (torch.tensor([len(x) for x, _, _ in flat]), torch.tensor([e.shape[1] for _, e, _ in flat]))
        )
        y = {part: torch.tensor([label for _, _, label in graphs]) for part, graphs in known.items()}
        return cls(torch.cat([x for x, _, _ in flat]), torch.cat([e for _, e, _ in flat], 1), nodes, edges, places, y)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(features,)``."""
        return (self.x.shape[1],)

    def batch(
        self, part: Part, index: Tensor, generator: torch.Generator | None, augmentation: Augmentation | None
    ) -> Batch:
        """The disjoint union of the graphs of a part at ``index``."""
        chosen = self.graphs[part][index]
        nodes, edges = self.nodes[chosen], self.edges[chosen]
        offset = nodes[:, 1].cumsum(0) - nodes[:, 1]  # number of a graph's first node in the batch
        edge_index = self.edge_index[:, _ranges(edges)] + offset.repeat_interleave(edges[:, 1])
        which = torch.arange(len(chosen), device=self.x.device).repeat_interleave(nodes[:, 1])
        return Batch((self.x[_ranges(nodes)].float(), edge_index, which), None, self.y[part][index])


def _ranges(spans: Tensor) -> Tensor:
    """``start, start + 1, …`` of every ``(start, count)``, joined."""
    start, count = spans.unbind(1)
    before = count.cumsum(0) - count
    return torch.arange(int(count.sum()), device=spans.device) + (start - before).repeat_interleave(count)
