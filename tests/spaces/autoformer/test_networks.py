"""Tests of vision transformers: the same outputs as timm's, what relative positions and pooling change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gennas.eval.complexity import count_flops
from gennas.spaces import AutoFormerTiny, TaskSpec

SPEC = TaskSpec("image", (3, 32, 32), 5)
TEXT = "embed=32;depth=3;mlp=2,2,2;heads=2,2,2"


def network(spec: TaskSpec = SPEC, text: str = TEXT, **options: object) -> nn.Module:
    settings = {"embeds": (32, 48), "depths": (2, 3), "ratios": (2, 4), "heads": (2, 4), "head_dim": 16, "patch": 8}
    space = AutoFormerTiny(**settings | options)
    torch.manual_seed(0)
    return space.build(space.from_text(text), spec).eval()


@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_outputs_and_work_are_those_of_timm(pooling: str, take_weights: Callable[[nn.Module, nn.Module], None]) -> None:
    """The same weights give the same logits."""
    timm = pytest.importorskip("timm")
    options = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2, "mlp_ratio": 2}
    theirs = timm.models.vision_transformer.VisionTransformer(
        **options, num_classes=5, global_pool="token" if pooling == "token" else "avg", fc_norm=False
    ).eval()
    ours = network(relative=False, pooling=pooling)
    take_weights(ours, theirs)
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images))
    assert count_flops(ours, [images]).flops == count_flops(theirs, [images]).flops


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "deit_small_patch16_224", "deit_base_patch16_224"])
def test_as_many_parameters_as_timm(name: str) -> None:
    """DeiT, counted on both sides."""
    timm = pytest.importorskip("timm")
    embed, heads = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}[name.split("_")[1]]
    text = f"embed={embed};depth=12;mlp={','.join(['4'] * 12)};heads={','.join([str(heads)] * 12)}"
    sizes = {"embeds": (embed,), "depths": (12,), "heads": (heads, heads + 1), "head_dim": 64, "patch": None}
    with torch.device("meta"):
        theirs = timm.create_model(name)
        ours = network(TaskSpec("image", (3, 224, 224), 1000), text, **sizes, relative=False, pooling="token")
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]


def test_relative_positions_start_close_to_none() -> None:
    """Tables of zeros change nothing; others do."""
    with_tables, without = network(), network(relative=False)
    for block, plain in zip(with_tables.blocks, without.blocks, strict=True):
        nn.init.zeros_(block.attention.keys)
        nn.init.zeros_(block.attention.values)
        plain.load_state_dict(block.state_dict(), strict=False)
    for name in ("patches", "norm", "head"):
        getattr(without, name).load_state_dict(getattr(with_tables, name).state_dict())
    for name in ("class_token", "positions"):
        getattr(without, name).data.copy_(getattr(with_tables, name))
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(with_tables(images), without(images))
    nn.init.normal_(with_tables.blocks[0].attention.values)
    assert (with_tables(images) - without(images)).abs().max() > 0.01


def test_distances_are_no_longer_than_the_grid() -> None:
    """A grid of 4 x 4 has tables of 2 * 4 + 2 rows; at 14 x 14 they have the published 30."""
    assert network().blocks[0].attention.keys.shape == (2, 10, 16)
    wide = network(TaskSpec("image", (3, 224, 224), 5), patch=16)
    assert wide.blocks[0].attention.keys.shape == (2, 30, 16)
    assert network(max_distance=2).blocks[0].attention.keys.shape == (2, 6, 16)


def test_images_of_any_shape() -> None:
    net = network(TaskSpec("image", (1, 16, 24), 5), patch=None)
    assert net.patches.kernel_size == (2, 2) and net.positions.shape == (1, 1 + 8 * 12, 32)
    assert net(torch.randn(3, 1, 16, 24)).shape == (3, 5)
