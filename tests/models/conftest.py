"""Small schemas: one with operations on nodes and edges, one whose legality a mask cannot say."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import GraphSchema


@pytest.fixture
def mixed() -> GraphSchema:
    """Three nodes (the middle one free, 2 of 3 labels) and three edges with 3 labels: d = 4, L = 3."""
    node_mask = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0]], dtype=bool)
    edge_mask = np.zeros((3, 3, 3), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(3, 1)] = True
    return GraphSchema("mixed", ("end", "a", "b"), ("none", "x", "y"), node_mask, edge_mask)


@pytest.fixture
def chain() -> GraphSchema:
    """A macro space: four free nodes of two labels on a fixed chain, d = 4, L = 2."""
    edge_mask = np.zeros((4, 4, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.arange(3), np.arange(1, 4)] = [False, True]
    return GraphSchema("chain", ("low", "high"), ("none", "next"), np.ones((4, 2), dtype=bool), edge_mask)
