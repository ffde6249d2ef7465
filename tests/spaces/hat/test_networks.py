"""Tests of HAT's encoder."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gennas.export import module_source
from gennas.spaces import TaskSpec
from gennas.spaces.hat.networks import HATEncoder, HATLayer, sinusoids


def test_sinusoids_are_those_of_the_formula() -> None:
    found = sinusoids(torch.zeros(1, 7, 10))
    for i in range(7):
        for c in range(5):
            angle = i * 10000 ** (-c / 4)
            assert float(found[i, c]) == pytest.approx(math.sin(angle), abs=1e-6)
            assert float(found[i, 5 + c]) == pytest.approx(math.cos(angle), abs=1e-6)


def test_a_layer_equals_pytorchs_encoder_layer() -> None:
    """Where attention is as wide as the stream, it is nn.TransformerEncoderLayer."""
    torch.manual_seed(0)
    ours, theirs = HATLayer(8, 2, 8, 12).eval(), nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True).eval()
    rows = ours.attention.qkv.weight.unflatten(0, (2, 3, 4)).transpose(0, 1).flatten(0, 2)
    biases = ours.attention.qkv.bias.unflatten(0, (2, 3, 4)).transpose(0, 1).flatten(0, 2)
    theirs.self_attn.in_proj_weight.data, theirs.self_attn.in_proj_bias.data = rows, biases
    theirs.self_attn.out_proj.load_state_dict(ours.attention.proj.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward[2].state_dict())
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def test_plain_source_gives_the_same_network() -> None:
    spec = TaskSpec("text", (9,), 3, vocabulary=11)
    net = HATEncoder(8, [(2, 12), (4, 8)], 16, spec).eval()
    names: dict[str, type[nn.Module]] = {}
    exec(module_source(net), names)
    again = names["HATEncoder"]()
    again.load_state_dict(net.state_dict())
    tokens = spec.random_inputs(2)[0]
    assert torch.equal(again.eval()(tokens), net(tokens)) and torch.equal(again(tokens[:, :4]), net(tokens[:, :4]))
