"""Which of four small graphs is hidden in a tree: graph classification, generated from seeds."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, GraphData
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["MOTIFS", "motifs"]

MOTIFS = {
    "two squares": ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 3)),
    "triangle and pentagon": ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 2)),
    "two triangles": ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3)),
    "bipartite": ((0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (4, 5)),
}
"""Edges of the graphs that are hidden: six nodes and seven edges each, so that no count tells them apart."""
_NODES = 6
_SIZES = {"train": 800, "validation": 400, "test": 400}


@TASKS.register("motifs")
def motifs() -> Task:
    """Which motif of six nodes hangs on a random tree: four classes, 800 / 400 / 400 graphs, no features, offline.

    A random recursive tree of 8 to 15 nodes joined by one edge to two squares or two triangles, a triangle and a
    pentagon, or a complete bipartite graph (2, 3) with a tail; nodes in random order. Every node has the feature 1.
    """
    config = TrainConfig(epochs=20, batch_size=64, lr=5e-3)
    return Task("motifs", TaskSpec("graph", (1,), len(MOTIFS)), _load, "generated 800/400/400, seed 0", config)


@cache
def _load() -> GraphData:
    rng = np.random.default_rng(0)
    parts = {part: [_graph(i % len(MOTIFS), rng) for i in range(_SIZES[part])] for part in PARTS}
    return GraphData.of(parts)


def _graph(label: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, int]:
    n = int(rng.integers(8, 16))
    tree = [(int(rng.integers(i)), i) for i in range(1, n)]
    motif = [(n + a, n + b) for a, b in list(MOTIFS.values())[label]]
    bridge = (int(rng.integers(n)), n + int(rng.integers(_NODES)))
    order = rng.permutation(n + _NODES)
    edges = torch.from_numpy(order[np.array([*tree, *motif, bridge])].T.copy())
    return torch.ones(n + _NODES, 1), torch.cat([edges, edges.flip(0)], dim=1), label
