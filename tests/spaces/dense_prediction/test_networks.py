"""What branches compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gennas.spaces import DensePrediction, TaskSpec
from gennas.spaces.dense_prediction.networks import PyramidPooling, branch


@pytest.mark.parametrize("operation", ["conv1x1", "sep1x1", "sep6x21", "pool1x1", "pool8x4"])
def test_branches_keep_the_size(operation: str) -> None:
    assert branch(operation, 4).eval()(torch.randn(2, 4, 7, 9)).shape == (2, 4, 7, 9)


def test_dilations_are_of_rows_and_columns() -> None:
    module = branch("sep2x3", 1)
    assert isinstance(module, nn.Sequential)
    depthwise = module[0]
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1.0
    seen = depthwise(image)[0, 0].abs() > 0
    assert torch.nonzero(seen).tolist() == [[r, c] for r in (2, 4, 6) for c in (1, 4, 7)]


def test_pyramid_pooling_of_one_cell_is_the_mean() -> None:
    module = PyramidPooling((1, 1), 3).eval()
    module.body = nn.Sequential()
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(module(x), x.mean((2, 3), keepdim=True).expand_as(x))


@pytest.mark.parametrize(("size", "features"), [(4, 4), (8, 4), (15, 8), (16, 4), (32, 8)])
def test_small_images_are_not_made_tiny(size: int, features: int) -> None:
    space, spec = DensePrediction(width=4), TaskSpec("segmentation", (3, size, size), 2)
    module = space.build(space.from_text("conv1x1~0|sep2x2~1|pool2x2~0"), spec).eval()
    backbone = module.backbone
    assert isinstance(backbone, nn.Module)
    assert backbone(torch.randn(1, 3, size, size)).shape[-1] == features
    assert module(torch.randn(1, 3, size, size)).shape == (1, 2, size, size)
