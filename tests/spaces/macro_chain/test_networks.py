"""Layers of the macro chain: weights counted by hand, resolutions, residual connections, groups."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.spaces import TaskSpec
from gennas.spaces.macro_chain.networks import ChainNetwork, InvertedBottleneck, conv_bn, layer_module
from gennas.spaces.macro_chain.space import Layer


def weights(op: str, k: int, c: int, w: int) -> int:
    """Parameters of a layer: convolutions without bias, two numbers per channel of a norm."""
    if op == "conv":
        return k * k * c * w + 2 * w
    if op == "separable":
        return (k * k * c + 2 * c) + (c * w + 2 * w)
    hidden = 4 * c
    return (c * hidden + 2 * hidden) + (k * k * hidden + 2 * hidden) + (hidden * w + 2 * w)


@pytest.mark.parametrize("op", ["conv", "separable", "inverted"])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("inputs", "width"), [(4, 4), (4, 7), (6, 3)])
def test_weights_of_a_layer(op: str, kernel: int, inputs: int, width: int) -> None:
    module = layer_module(Layer(op, kernel, width, 1), inputs)
    assert sum(p.numel() for p in module.parameters()) == weights(op, kernel, inputs, width)


@pytest.mark.parametrize("op", ["conv", "separable", "inverted"])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("size", "stride", "expected"), [(8, 1, 8), (8, 2, 4), (7, 2, 4), (1, 2, 1)])
def test_resolutions(op: str, kernel: int, size: int, stride: int, expected: int) -> None:
    out = layer_module(Layer(op, kernel, 6, stride), 4)(torch.randn(2, 4, size, size))
    assert out.shape == (2, 6, expected, expected)


def test_depthwise_convolutions_do_not_mix_channels() -> None:
    separable = layer_module(Layer("separable", 3, 5, 1), 4)
    inverted = layer_module(Layer("inverted", 3, 5, 1), 4)
    assert isinstance(inverted, InvertedBottleneck)
    groups = [[m.groups for m in net.modules() if isinstance(m, nn.Conv2d)] for net in (separable, inverted)]
    assert groups == [[4, 1], [1, 16, 1]]


def test_convolutions_have_no_bias_and_a_norm() -> None:
    conv, norm = conv_bn(3, 8, 5, 2)
    assert conv.bias is None and conv.padding == (2, 2) and conv.stride == (2, 2) and norm.num_features == 8


@pytest.mark.parametrize(("width", "stride", "residual"), [(4, 1, True), (4, 2, False), (5, 1, False), (5, 2, False)])
def test_residual_connections(width: int, stride: int, residual: bool) -> None:
    layer = layer_module(Layer("inverted", 3, width, stride), 4).eval()
    x = torch.randn(2, 4, 6, 6)
    body = layer.body(x)
    torch.testing.assert_close(layer(x), x + body if residual else body)


def test_the_projection_of_a_bottleneck_is_linear() -> None:
    """Other layers end in a ReLU; the bottleneck does not, so that it can lower a value."""
    torch.manual_seed(0)
    x = torch.randn(64, 4, 4, 4)
    for op, negative in (("conv", False), ("separable", False), ("inverted", True)):
        assert bool((layer_module(Layer(op, 3, 6, 1), 4)(x) < 0).any()) == negative


def test_a_network_has_stem_layers_and_head() -> None:
    layers = [Layer("conv", 3, 4, 1), Layer("inverted", 5, 6, 2), Layer("separable", 3, 9, 2)]
    net = ChainNetwork(layers, TaskSpec("image", (3, 8, 8), 7))
    expected = 9 * 3 * 4 + 2 * 4  # the stem is as wide as the first layer
    expected += weights("conv", 3, 4, 4) + weights("inverted", 5, 4, 6) + weights("separable", 3, 6, 9)
    expected += 2 * 9 + 9 * 7 + 7
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net(torch.randn(2, 3, 8, 8)).shape == (2, 7)


def test_logits_are_the_classifier_of_mean_features() -> None:
    net = ChainNetwork([Layer("conv", 3, 4, 1)], TaskSpec("image", (1, 6, 6), 3)).eval()
    x = torch.randn(5, 1, 6, 6)
    features = net.head[0](net.layers(net.stem(x))).relu().mean((2, 3))
    torch.testing.assert_close(net(x), net.classifier(features))


def test_every_weight_gets_a_gradient() -> None:
    layers = [Layer("separable", 3, 4, 2), Layer("inverted", 3, 4, 1), Layer("conv", 1, 5, 1)]
    net = ChainNetwork(layers, TaskSpec("image", (2, 8, 8), 3))
    net(torch.randn(6, 2, 8, 8)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    convolutions = [m.weight.grad for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert all(g.abs().sum() > 0 for g in convolutions)


def test_an_image_at_a_time_when_evaluating() -> None:
    """Running statistics: the value of an image does not depend on its batch."""
    net = ChainNetwork([Layer("conv", 3, 4, 2), Layer("separable", 3, 4, 1)], TaskSpec("image", (1, 8, 8), 3)).eval()
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(net(x), torch.cat([net(row[None]) for row in x]))


@pytest.mark.parametrize("spec", [TaskSpec("node", (5,), 3), TaskSpec("image", (3, 8), 3)])
def test_other_specs_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(ConfigError, match="macro-chain has networks for images only"):
        ChainNetwork([Layer("conv", 3, 4, 1)], spec)
