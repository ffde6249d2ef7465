"""Tests of transformers of mixers: each mixer by its formula, and what blocks read."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from gennas.spaces import TaskSpec
from gennas.spaces.dasvit.networks import Choice, MixerTransformer, channel_mixer, token_mixer
from gennas.spaces.transformer import Attention

SPEC = TaskSpec("image", (1, 8, 12), 3)


def test_mixers_of_the_map_see_neighbours() -> None:
    """Tokens row by row: a convolution and a pool of the map, and back."""
    x = torch.randn(2, 6, 4)
    images = x.transpose(1, 2).reshape(2, 4, 2, 3)
    conv, pool = token_mixer("conv5", 4, (2, 3)), token_mixer("pool3", 4, (2, 3))
    torch.testing.assert_close(conv(x), conv.mixer(images).reshape(2, 4, 6).transpose(1, 2))
    corner = images[:, :, :2, :2].mean((2, 3))  # the pool counts tokens, not padding
    torch.testing.assert_close(pool(x)[:, 0], corner)
    attention = token_mixer("attention4", 16, (2, 3))
    assert isinstance(attention, Attention) and attention.head_dim == 4


def test_channel_mixers() -> None:
    x = torch.randn(2, 6, 4)
    glu = channel_mixer("glu", 4)
    a, b = glu[0](x).chunk(2, -1)
    torch.testing.assert_close(glu(x), glu[2](a * b.sigmoid()))
    mlp = channel_mixer("mlp2", 4)
    torch.testing.assert_close(mlp(x), mlp.fc2(functional.gelu(mlp.fc1(x))))
    assert mlp.fc1.out_features == 8 and glu[2].in_features == 8


def test_a_block_adds_an_earlier_output() -> None:
    """Three blocks by hand: the second also reads the patches, the third the first block."""
    choices = [Choice("conv3", "none", -1), Choice("identity", "mlp2", 0), Choice("pool3", "glu", 1)]
    net = MixerTransformer(choices, 8, 2, (4, 6), SPEC).eval()
    images = torch.randn(2, 1, 8, 12)
    x0 = net.patches(images).flatten(2).transpose(1, 2) + net.positions
    x1 = x0 + net.blocks[0][0].mixer(net.blocks[0][0].norm(x0))
    x2 = net.blocks[1](x1 + x0)
    x3 = net.blocks[2](x2 + x1)
    torch.testing.assert_close(net(images), net.head(net.norm(x3).mean(1)))
    assert [len(block) for block in net.blocks] == [1, 1, 2]


def test_a_block_without_mixers_is_the_identity() -> None:
    net = MixerTransformer([Choice("identity", "none", -1)], 8, 2, (4, 6), SPEC)
    assert len(net.blocks[0]) == 0 and isinstance(net.blocks[0], nn.Sequential)
    assert net(torch.randn(2, 1, 8, 12)).shape == (2, 3)
