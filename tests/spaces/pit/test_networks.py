"""Tests of pooling transformers: the same outputs as timm's, grids of small images, widths that shrink."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gennas.spaces import PiT, TaskSpec
from gennas.spaces.pit.networks import Pooling, PoolingTransformer, Stage, pooled


def test_outputs_are_those_of_timm(take_weights: Callable[[nn.Module, nn.Module], None]) -> None:
    """The same weights give the same logits."""
    timm = pytest.importorskip("timm")
    sizes = {"base_dims": (8, 8, 8), "depth": (1, 2, 1), "heads": (1, 2, 4), "mlp_ratio": 2}
    theirs = timm.models.pit.PoolingVisionTransformer(
        img_size=32, patch_size=8, stride=4, stem_type="overlap", num_classes=5, **sizes
    ).eval()
    stages = [Stage(h, d) for h, d in zip(sizes["heads"], sizes["depth"], strict=True)]
    ours = PoolingTransformer(stages, 8, 2, 8, (7, 7), TaskSpec("image", (3, 32, 32), 5)).eval()
    take_weights(ours, theirs)
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.parametrize(("side", "patch", "grid"), [(224, 16, 27), (32, 4, 15), (8, 2, 7), (64, 8, 15), (4, 2, 3)])
def test_patches_of_small_images(side: int, patch: int, grid: int) -> None:
    """Half a patch apart; three stages leave a quarter of the map."""
    space = PiT(bases=(4, 8))
    text = "base=4;mlp=2;stage1.heads=2;stage1.depth=1;stage2.heads=2;stage2.depth=4;stage3.heads=2;stage3.depth=2"
    net = space.build(space.from_text(text), TaskSpec("image", (1, side, side), 3))
    assert net.patches.kernel_size == (patch, patch) and net.positions.shape == (1, 8, grid, grid)
    assert net(torch.randn(2, 1, side, side)).shape == (2, 3)


@pytest.mark.parametrize(("inputs", "outputs", "groups"), [(8, 16, 8), (16, 8, 8), (8, 8, 8), (16, 24, 8)])
def test_pooling_halves_the_map(inputs: int, outputs: int, groups: int) -> None:
    """Also where the width shrinks or grows by a fraction; the class token is not pooled."""
    pooling, x = Pooling(inputs, outputs, (5, 4)), torch.randn(2, 21, inputs)
    y = pooling(x)
    assert pooling.conv.groups == groups and pooled((5, 4)) == (3, 2) and y.shape == (2, 7, outputs)
    torch.testing.assert_close(y[:, 0], pooling.fc(x[:, 0]))
    expected = pooling.conv(x[:, 1:].transpose(1, 2).reshape(2, inputs, 5, 4))
    torch.testing.assert_close(y[:, 1:].transpose(1, 2).reshape(2, outputs, 3, 2), expected)
