"""Tests of FlexiBERT's space."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.spaces import FlexiBERT, Space, TaskSpec
from gennas.testing import SpaceContract

SPECS = (TaskSpec("text", (8,), 3, vocabulary=11), TaskSpec("tagging", (8,), 3, vocabulary=11))


class TestFlexiBERT(SpaceContract):
    num_samples = 32
    specs = SPECS

    def make_space(self) -> Space:
        return FlexiBERT()


def test_size_is_the_published_one() -> None:
    """2 widths, 6 operations, 2 numbers of heads, and 2 + 8 feed-forward stacks in a layer."""
    assert FlexiBERT().size == 240**2 + 240**4 == 3_317_817_600


@pytest.mark.parametrize(("width", "depth"), [(0.25, 1.0), (0.1, 2.0), (1.0, 0.5)])
def test_scaled_networks_have_the_counted_parameters(width: float, depth: float) -> None:
    space = FlexiBERT(context=32).scaled(width, depth)
    population = space.sample(8, np.random.default_rng(0))
    for spec in SPECS:
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
        assert space.count_parameters(population, spec).tolist() == built


def test_parameters_by_hand() -> None:
    """Two layers of attention, the second wider and with three stacked layers."""
    text = "depth=2;hidden=128,256;operation=sa-sdp,sa-wma;heads=2,4;stack=1,3;ff1=512,512;ff2=-,1024;ff3=-,512"
    arch = FlexiBERT().from_text(text)
    embeddings = (11 + 8 + 2) * 128
    first = 4 * 128 * 128 + 4 * 128 + 4 * 128 + 128 * 512 + 512 + 512 * 128 + 128
    between = 128 * 256 + 256
    stack = 256 * 512 + 512 + 512 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 256 + 256
    second = 5 * 256 * 256 + 4 * 256 + 4 * 256 + stack
    total = sum(p.numel() for p in FlexiBERT().build(arch, SPECS[0]).parameters())
    assert total == embeddings + first + between + second + 257 * 3


def test_stacked_widths_are_chosen_where_the_stack_is_high() -> None:
    text = "depth=2;hidden=128,128;operation=sa-sdp,sa-sdp;heads=2,2;stack=1,3;ff1=512,512;ff2=512,512;ff3=-,512"
    with pytest.raises(InvalidArchitectureError, match="flexibert: decisions"):
        FlexiBERT().from_text(text)


def test_a_context_is_checked() -> None:
    with pytest.raises(ConfigError, match="a positive context, got 0"):
        FlexiBERT(context=0)
    arch = FlexiBERT().sample(1, np.random.default_rng(0))[0]
    with pytest.raises(ConfigError, match="at most 4 tokens"):
        FlexiBERT(context=4).build(arch, SPECS[0])
    with pytest.raises(ConfigError, match="flexibert has networks for texts or tokens only"):
        FlexiBERT().build(arch, TaskSpec("language", (8,), 11, vocabulary=11))
