"""Tests of what graph networks share."""

from __future__ import annotations

import pytest
import torch

from gennas.spaces import TaskSpec
from gennas.spaces.gnn.parts import Readout, dense

NODE, GRAPH = TaskSpec("node", (3,), 2), TaskSpec("graph", (3,), 2)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [2.0, 7.0]), ("sum", [4.0, 7.0]), ("max", [3.0, 7.0])])
def test_graphs_are_pooled(pooling: str, expected: list[float]) -> None:
    """Nodes 1 and 3 are one graph, node 7 another."""
    readout = Readout(1, 4, 0, GRAPH, pooling)  # type: ignore[arg-type]
    readout.classifier = torch.nn.Identity()  # type: ignore[assignment]
    pooled = readout(torch.tensor([[1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1]))
    assert pooled.flatten().tolist() == expected


def test_nodes_are_classified_one_by_one() -> None:
    """Each row on its own."""
    readout, x = Readout(3, 4, 2, NODE, "mean").eval(), torch.randn(5, 3)
    assert torch.allclose(readout(x, None)[2:3], readout(x[2:3], None), atol=1e-6)
    assert [tuple(p.shape) for p in readout.parameters()] == [(4, 3), (4,), (4, 4), (4,), (2, 4), (2,)]


def test_dense_layers() -> None:
    """Linear, ReLU, dropout; none at all is the identity."""
    x = torch.randn(4, 3)
    assert torch.equal(dense(3, 8, 0)(x), x)
    assert (dense(3, 8, 2, dropout=0.3).eval()(x) >= 0).all()
