"""Synaptic flow against a forward and backward pass written from the formula."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from gennas.eval.proxies import Protocol, make_proxies, noise_batch, score_network


def flow(net: nn.Module, keep: bool) -> list[tuple[torch.Tensor, torch.Tensor]]:
    net = copy.deepcopy(net).double().eval()
    for holder in list(net.modules()):
        for name, child in list(holder.named_children()):
            if not keep and isinstance(child, (nn.BatchNorm2d, nn.LayerNorm)):
                setattr(holder, name, nn.Identity())
    state = {name: value.abs() for name, value in net.state_dict().items()}
    net.load_state_dict(state)
    net(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().backward()
    weights = [m.weight for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    weights += [m.in_proj_weight for m in net.modules() if isinstance(m, nn.MultiheadAttention)]
    return [(w.detach(), w.grad) for w in weights]


def test_formula(net: nn.Module) -> None:
    batch = noise_batch(Protocol(batch_size=2, input_shape=(3, 8, 8), num_classes=5))
    scores = score_network(net, make_proxies(["synflow", "logsynflow"]), batch)
    expected = math.log(sum(float((w * g).abs().sum()) for w, g in flow(net, keep=False)))
    assert scores["synflow"].value == pytest.approx(expected, rel=1e-6)
    expected = sum(float((w * torch.log(1 + g.abs())).sum()) for w, g in flow(net, keep=True))
    assert scores["logsynflow"].value == pytest.approx(expected, rel=1e-6)


def test_values_that_overflow_float32_are_finite() -> None:
    layers = [nn.Linear(100, 100, bias=False) for _ in range(40)]
    for layer in layers:
        nn.init.constant_(layer.weight, 10.0)
    net = nn.Sequential(nn.Flatten(), *layers, nn.Linear(100, 5, bias=False))
    nn.init.ones_(net[-1].weight)
    batch = noise_batch(Protocol(batch_size=2, input_shape=(1, 10, 10), num_classes=5))
    score = score_network(net, make_proxies(["synflow"]), batch)["synflow"]
    # Every layer multiplies by 1000, the last by 100; five outputs; 41 layers hold the same flow each.
    assert score.value == pytest.approx(40 * math.log(1e3) + math.log(100 * 5 * 41), rel=1e-12)
