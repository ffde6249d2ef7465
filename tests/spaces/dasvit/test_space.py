"""Tests of the DASViT space: exact size, what a text builds, settings."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import DASViT, TaskSpec
from gennas.spaces.dasvit.networks import Choice
from gennas.testing import SpaceContract

DIGITS = TaskSpec("image", (1, 8, 8), 10)


class TestDASViT(SpaceContract):
    num_samples, num_built = 32, 3

    def make_space(self) -> DASViT:
        return DASViT(width=8)


def test_sizes() -> None:
    """24^B B!."""
    assert [DASViT(blocks=b).size for b in (1, 2, 3, 4, 6)] == [24, 1152, 82_944, 7_962_624, 137_594_142_720]


def test_every_architecture_once_and_uniformly() -> None:
    space = DASViT(blocks=2)
    allowed = [np.flatnonzero(row).tolist() for row in space.schema.decision_mask]
    everything = Population.from_decisions(space.schema, np.array(list(product(*allowed))))
    assert len(everything) == len(set(everything.keys)) == 1152 and space.is_valid(everything).all()
    keys, counts = np.unique(space.sample(20 * 1152, np.random.default_rng(0)).keys, return_counts=True)
    assert len(keys) == 1152 and chisquare(counts).pvalue > 1e-3


def test_text_becomes_choices() -> None:
    """Blocks by number, the patches as number 0, nothing as -1."""
    space = DASViT(blocks=3)
    text = (
        "block1.token=attention2;block1.channel=none;block1.extra=none;block2.token=identity;block2.channel=mlp4;"
        "block2.extra=patches;block3.token=conv5;block3.channel=glu;block3.extra=block1"
    )
    arch = space.from_text(text)
    assert space.to_text(arch) == text
    expected = [Choice("attention2", "none", -1), Choice("identity", "mlp4", 0), Choice("conv5", "glu", 1)]
    assert space.choices(arch) == expected
    assert len(space.scaled(depth=0.5).build(arch, DIGITS).blocks) == 2
    longer = space.scaled(0.3, 2)
    assert longer.build(arch, DIGITS).extra == [-1, 0, 1, -1, -1, -1]
    assert longer.build(arch, DIGITS).head.in_features == 20
    assert longer.count_parameters(Population.of(space.schema, [arch]), DIGITS) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("block2.extra=patches", "block2.extra=block1", "block2.extra out of none, patches, got 'block1'"),
        ("token=identity", "token=conv7", "block2.token out of attention2, .*, got 'conv7'"),
        (";block1.extra=none", "", "the field 'block1.extra' is missing"),
    ],
)
def test_bad_text(old: str, new: str, message: str) -> None:
    text = (
        "block1.token=conv3;block1.channel=glu;block1.extra=none;"
        "block2.token=identity;block2.channel=mlp4;block2.extra=patches"
    )
    assert DASViT(blocks=2).from_text(text)
    with pytest.raises(InvalidArchitectureError, match=message):
        DASViT(blocks=2).from_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "at least one block"),
        ({"width": 6}, "a width that is a multiple of 4, got 6"),
        ({"patch": 0}, "patch >= 1"),
    ],
)
def test_bad_settings(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DASViT(**options)


def test_an_image_smaller_than_the_patch() -> None:
    space = DASViT(patch=16)
    with pytest.raises(ConfigError, match="at least 16 x 16 pixels, the size of a patch, got 8 x 8"):
        space.build(space.sample(1, np.random.default_rng(0))[0], DIGITS)
