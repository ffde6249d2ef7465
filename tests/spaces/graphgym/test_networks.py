"""Tests of the networks of GraphGym's design space."""

from __future__ import annotations

import pytest
import torch

from gennas.spaces import GraphGym, TaskSpec
from gennas.spaces.graphgym.networks import GeneralLayer

PATH = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])


@pytest.mark.parametrize(("aggr", "expected"), [("sum", 6.0), ("mean", 3.0), ("max", 5.0)])
def test_a_layer_aggregates_what_it_makes_of_the_neighbours(aggr: str, expected: float) -> None:
    """Features 1, 2, 5 on a path: node 1 gathers those of nodes 0 and 2 and not its own."""
    layer = GeneralLayer(1, 1, {"batch_norm": 0, "act": "relu", "dropout": 0, "aggr": aggr})
    torch.nn.init.ones_(layer.message[0].weight)
    torch.nn.init.zeros_(layer.message[0].bias)
    gathered = layer(torch.tensor([[1.0], [2.0], [5.0]]), PATH)
    assert gathered[1].item() == pytest.approx(expected) and gathered[0].item() == pytest.approx(2)


@pytest.mark.parametrize(("connectivity", "width"), [("stack", 8), ("skip-sum", 8), ("skip-cat", 8 * 5)])
def test_connectivity_decides_what_is_handed_on(connectivity: str, width: int) -> None:
    """Concatenation grows by the width of every layer."""
    space = GraphGym(training=False, hidden=8)
    text = f"batch_norm=0;dropout=0;act=swish;aggr=mean;connectivity={connectivity};pre=1;layers=4;post=1"
    network = space.build(space.from_text(text), TaskSpec("node", (5,), 3)).eval()
    assert network.readout.layers[0].in_features == width
    x, last = torch.randn(3, 5), network.layers[-1]
    for parameter in last.parameters():
        torch.nn.init.zeros_(parameter)
    differs = bool(network(x, PATH).std(dim=0).max() > 1e-6)
    assert differs == (connectivity != "stack")  # else the last layer, which is zero, is all there is
