"""Elastic layers: slices on single paths, weighted sums in mixtures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.spaces.parts import PLAIN, Depth, Elastic, Plain, Routing, Vector, bind, in_turn, read, sized
from gennas.spaces.parts.elastic import (
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticEmbedding,
    ElasticLayerNorm,
    ElasticLinear,
)

WIDTH = Elastic((0,), {(0,): 2, (1,): 3, (2,): 5})


def routed(*modules: nn.Module) -> Routing:
    """One decision of three labels; all modules read it."""
    routing = Routing(np.ones((1, 3), dtype=bool))
    for module in modules:
        bind(module, routing)
    return routing


def weights() -> Tensor:
    return torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def test_a_hidden_layer_mixed_is_the_weighted_sum_of_its_sizes() -> None:
    torch.manual_seed(0)
    first, second = ElasticLinear(4, WIDTH).double(), ElasticLinear(WIDTH, 3).double()
    routing, x = routed(first, second), torch.randn(6, 4, dtype=torch.float64)
    outputs = []
    for symbol in range(3):
        routing.follow([symbol])
        outputs.append(second(torch.tanh(first(x))))
    routing.follow([weights()])
    mixed = second(torch.tanh(first(x)))
    torch.testing.assert_close(mixed, sum(w * y for w, y in zip(weights(), outputs, strict=True)), rtol=0, atol=1e-14)
    routing.follow([{0: weights()[0], 2: weights()[2]}])  # the bias of the output counts once per size
    expected = 0.2 * outputs[0] + 0.3 * outputs[2] + 0.5 * second.bias
    torch.testing.assert_close(second(torch.tanh(first(x))), expected, rtol=0, atol=1e-14)


def test_a_linear_layer_is_its_leading_slice_and_shares_storage() -> None:
    layer = ElasticLinear(4, WIDTH)
    routing, x = routed(layer), torch.randn(2, 3)
    routing.follow([1])
    assert torch.equal(layer(x), nn.functional.linear(x, layer.weight[:3, :3], layer.bias[:3]))
    assert ElasticLinear(4, WIDTH, bias=False).bias is None


@pytest.mark.parametrize("depthwise", [False, True])
def test_convolutions_are_slices(depthwise: bool) -> None:
    layer = ElasticConv2d(WIDTH, WIDTH, 3, 2, depthwise, padding=1)
    routing, x = routed(layer), torch.randn(2, 3, 5, 5)
    routing.follow([1])
    plain = PLAIN.conv(3, 3, 3, 2, depthwise, padding=1)
    assert isinstance(plain, nn.Conv2d) and layer.bias is not None and plain.bias is not None
    with torch.no_grad():
        plain.weight.copy_(layer.weight[:3] if depthwise else layer.weight[:3, :3])
        plain.bias.copy_(layer.bias[:3])
    assert torch.equal(layer(x), plain(x))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_learns_the_statistics_of_the_channels_that_arrive(momentum: float | None) -> None:
    layer, plain = ElasticBatchNorm2d(WIDTH, momentum=momentum), nn.BatchNorm2d(3, momentum=momentum)
    x = torch.randn(4, 3, 2, 2)
    for _ in range(2):
        assert torch.equal(layer(x), plain(x))
    assert layer.running_mean is not None and plain.running_mean is not None
    assert torch.equal(layer.running_mean[:3], plain.running_mean) and not layer.running_mean[3:].any()
    assert torch.equal(layer.eval()(x), plain.eval()(x))


def test_layer_norm_takes_weighted_statistics() -> None:
    layer = ElasticLayerNorm(WIDTH)
    routing, x = routed(layer), torch.randn(7, 5)
    routing.follow([torch.tensor([0.0, 1.0, 0.0])])
    torch.testing.assert_close(layer(x)[:, :3], nn.functional.layer_norm(x[:, :3], (3,)))
    routing.follow([torch.zeros(3)])
    assert torch.isfinite(layer(x)).all()


def test_embeddings_and_vectors_are_slices() -> None:
    embedding, vector = ElasticEmbedding(6, WIDTH), Vector(nn.Parameter(torch.randn(1, 5)), WIDTH)
    routing = routed(embedding, vector)
    routing.follow([1])
    assert torch.equal(embedding(torch.tensor([2, 4])), embedding.weight[[2, 4], :3])
    assert torch.equal(read(vector), vector.weight[:, :3])
    assert read(vector.weight) is vector.weight


def test_depth_mixed_is_the_weighted_sum_of_outputs() -> None:
    blocks = [nn.Linear(2, 2) for _ in range(3)]
    depth = Depth(blocks, Elastic((0,), {(0,): 0, (1,): 1, (2,): 3}))
    routing, x = routed(depth), torch.randn(4, 2)
    outputs = []
    for symbol, count in enumerate((0, 1, 3)):
        routing.follow([symbol])
        outputs.append(in_turn(depth, x))
        assert torch.equal(outputs[-1], in_turn(nn.ModuleList(blocks[:count]), x))
    mix = weights().float()
    routing.follow([mix])
    torch.testing.assert_close(depth(x), sum(w * y for w, y in zip(mix, outputs, strict=True)))


def test_sizes_of_layers_that_are_off_are_refused() -> None:
    layer = ElasticLinear(4, Elastic((0,), {(0,): 2}))
    routing = routed(layer)
    routing.follow([2])
    with pytest.raises(EvaluationError, match="no size"):
        layer(torch.randn(1, 4))


def test_parts_outside_of_a_supernet_and_without_a_route_say_so() -> None:
    layer = ElasticLinear(4, WIDTH)
    with pytest.raises(EvaluationError, match="no supernet"):
        layer(torch.randn(1, 4))
    routed(layer)
    with pytest.raises(EvaluationError, match="route"):
        layer(torch.randn(1, 4))


def test_functions_of_sizes_leave_out_what_is_off() -> None:
    ratio = Elastic((1,), {(0,): 2, (3,): 4})
    made = sized(lambda a, b, c: a * b + c, WIDTH, ratio, 1)
    assert (
        made.decisions == (0, 1)
        and made.largest == 21
        and made.at({0: 1, 1: 3}) == 13
        and made.at({0: 1, 1: 1}) is None
    )
    assert sized(lambda a: a + 1, 2) == 3


def test_plain_parts_take_numbers_only() -> None:
    with pytest.raises(ConfigError, match="Shared parts"):
        PLAIN.linear(3, WIDTH)
    with pytest.raises(ConfigError, match="architecture"):
        Plain().choice(0, lambda symbol: None)
