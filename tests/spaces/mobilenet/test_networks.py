"""Tests of networks of inverted bottlenecks: what blocks compute, and shapes on images of any size."""

from __future__ import annotations

import pytest
import torch

from gennas.spaces import OFA, FBNet, ProxylessNAS, TaskSpec
from gennas.spaces.mobilenet.base import MobileSpace
from gennas.spaces.mobilenet.blocks import Block
from gennas.spaces.mobilenet.networks import InvertedBottleneck, SqueezeExcite, skip


def test_a_block_adds_its_input_only_where_shapes_agree() -> None:
    """With a last batch norm of weight 0 a residual block is the identity, another one gives nothing."""
    x = torch.randn(2, 8, 6, 6)
    for block, expected in ((Block(8, 8, 16, 3), x), (Block(8, 8, 16, 3, stride=2), None), (Block(8, 4, 16, 3), None)):
        module = InvertedBottleneck(block).eval()
        torch.nn.init.zeros_(module.body[-1].weight)
        y = module(x)
        assert torch.equal(y, expected if expected is not None else torch.zeros_like(y))
    assert InvertedBottleneck(Block(8, 4, 16, 5, stride=2))(x).shape == (2, 4, 3, 3)


def test_groups_are_mixed_by_the_shuffle() -> None:
    """With two groups and a shuffle every output depends on every input; without it on half of them."""
    module = InvertedBottleneck(Block(4, 4, 4, 1, groups=2, activation="relu")).eval()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    x = torch.rand(1, 4, 1, 1, requires_grad=True)
    gradient = torch.autograd.grad(module(x)[0, 0].sum() - x[0, 0].sum(), x)[0]
    assert (gradient > 0).all()


def test_squeeze_and_excitation_weighs_channels() -> None:
    """With all weights 0 the gate is hard-sigmoid(0) = one half."""
    module = SqueezeExcite(4, 2)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 4, 3, 3)
    assert torch.equal(module(x), x / 2)


def test_a_skip_is_nothing_or_a_projection() -> None:
    """Where width or resolution change, a 1x1 convolution."""
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(skip(Block(8, 8, 0))(x), x)
    assert skip(Block(8, 12, 0, stride=2, projects=True))(x).shape == (2, 12, 3, 3)


@pytest.mark.parametrize("space", [FBNet(width_mult=0.25), OFA(width_mult=0.25), ProxylessNAS(width_mult=0.25)])
@pytest.mark.parametrize(("shape", "last"), [((1, 8, 8), 4), ((3, 32, 32), 4), ((3, 9, 21), 5), ((2, 64, 64), 4)])
def test_feature_maps_stay_large_enough(space: MobileSpace, shape: tuple[int, int, int], last: int) -> None:
    """Strides only as far as the image bears."""
    arch = space.from_text(next(iter(space.reference.values())))
    network = space.build(arch, TaskSpec("image", shape, 5)).eval()
    assert network.blocks(network.stem(torch.zeros(1, *shape))).shape[2] == last
    assert network(torch.zeros(2, *shape)).shape == (2, 5)
