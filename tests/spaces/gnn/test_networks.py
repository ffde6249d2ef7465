"""Tests of the networks of the general space of graph networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.nn import GCNConv

from gennas.spaces import GNN, TaskSpec
from gennas.spaces.gnn.networks import operator
from gennas.spaces.gnn.space import AGGREGATING, ATTENDING, OPERATORS

NODE, GRAPH = TaskSpec("node", (5,), 3), TaskSpec("graph", (5,), 3)
PATH = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])


def network(spec: TaskSpec = NODE, **changes: Any) -> torch.nn.Module:
    config = {"hidden": 16, "pre": 0, "post": 0, "connectivity": "stack", "batch_norm": 0, "dropout": 0, "depth": 1,
              "op": ["gcn"], "aggr": [None], "heads": [None], "act": ["relu"], **changes}  # fmt: skip
    space = GNN()
    torch.manual_seed(0)
    return space.build(space.from_config(config), spec).eval()


def test_one_layer_is_the_convolution_and_a_classifier() -> None:
    """GCN, ReLU, linear, by torch-geometric's own layer."""
    net, x = network(), torch.randn(3, 5)
    conv = net.layers[0].operation
    assert isinstance(conv, GCNConv)
    expected = net.readout.classifier(conv(x, PATH).relu())
    assert torch.allclose(net(x, PATH), expected, atol=1e-6)


def test_connectivities_are_three_functions() -> None:
    """skip-sum adds a layer's input, skip-cat hands everything on."""
    x = torch.randn(3, 5)
    summed = network(connectivity="skip-sum", pre=1)
    h = summed.pre(x)
    y = h + summed.layers[0](h, PATH)
    assert torch.allclose(summed(x, PATH), summed.readout.classifier(y), atol=1e-6)
    joined = network(connectivity="skip-cat")
    y = torch.cat([x, joined.layers[0](x, PATH)], dim=1)
    assert joined.readout.classifier.in_features == 5 + 16
    assert torch.allclose(joined(x, PATH), joined.readout.classifier(y), atol=1e-6)
    assert isinstance(network(connectivity="skip-sum").shortcuts[0], torch.nn.Linear)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_have_the_width_asked_for(name: str) -> None:
    """Heads are concatenated; all but fc look at the neighbours."""
    aggregation, heads = "sum" if name in AGGREGATING else None, 4 if name in ATTENDING else None
    module = operator(name, 5, 16, aggregation, heads).eval()
    x = torch.randn(3, 5)
    moved = x.clone()
    moved[0] += 1
    out, other = ((module(v) if name == "fc" else module(v, PATH)) for v in (x, moved))
    assert out.shape == (3, 16)
    assert torch.allclose(out[1], other[1]) == (name == "fc")


@pytest.mark.parametrize(("aggregation", "factor"), [("sum", 2.0), ("mean", 1.0), ("max", 1.0)])
def test_aggregations_are_what_they_say(aggregation: str, factor: float) -> None:
    """Two neighbours with equal features: their sum is twice their mean and their maximum."""
    conv = operator("graph", 5, 16, aggregation, None)
    x = torch.randn(5).repeat(3, 1)
    neighbours = conv(x, PATH)[1] - conv.lin_root(x)[1] - conv.lin_rel.bias
    assert torch.allclose(neighbours, factor * conv.lin_rel.weight @ x[0], atol=1e-5)


def test_graphs_do_not_see_each_other() -> None:
    """Logits of a graph are those that it has alone."""
    layers = {"op": ["gin", "gatv2"], "aggr": ["mean", None], "heads": [None, 2], "act": ["elu", "tanh"]}
    net = network(GRAPH, depth=2, post=1, **layers)
    x = torch.randn(6, 5)
    both = net(x, torch.cat([PATH, PATH + 3], dim=1), torch.tensor([0, 0, 0, 1, 1, 1]))
    alone = net(x[3:], PATH, torch.zeros(3, dtype=torch.long))
    assert both.shape == (2, 3) and torch.allclose(both[1:], alone, atol=1e-6)
