"""What tests of vision transformers share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn


def _take_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy the weights of a network of timm, in the order of both; its qkv rows are (3, head, head_dim)."""
    heads = iter([m.num_heads for m in theirs.modules() if hasattr(m, "qkv") for _ in ("weight", "bias")])
    for (name, mine), (other, weight) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        if "qkv" in other:
            weight = weight.unflatten(0, (3, next(heads), -1)).transpose(0, 1).flatten(0, 2)
        assert mine.shape == weight.shape, (name, other)
        with torch.no_grad():
            mine.copy_(weight)


@pytest.fixture
def take_weights() -> Callable[[nn.Module, nn.Module], None]:
    return _take_weights
