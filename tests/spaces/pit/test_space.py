"""Tests of the PiT space: exact size, published networks, texts and settings."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import PiT, TaskSpec
from gennas.testing import SpaceContract

IMAGENET = TaskSpec("image", (3, 224, 224), 1000)
DIGITS = TaskSpec("image", (1, 8, 8), 10)


class TestPiT(SpaceContract):
    num_samples, num_built = 32, 3

    def make_space(self) -> PiT:
        return PiT(bases=(4, 6), depths=((1, 2), (1, 2), (2,)))


def count_as_built(space: PiT, arch_text: str) -> int:
    arch = space.from_text(arch_text)
    assert space.to_text(arch) == arch_text
    with torch.device("meta"):
        built = sum(p.numel() for p in space.build(arch, IMAGENET).parameters())
    assert space.count_parameters(Population.of(space.schema, [arch]), IMAGENET).tolist() == [built]
    return built


def test_every_architecture_once() -> None:
    """4 * 4 * 27 * 27, by trying all combinations of labels."""
    space = PiT()
    allowed = [np.flatnonzero(row).tolist() for row in space.schema.decision_mask]
    everything = Population.from_decisions(space.schema, np.array(list(product(*allowed))))
    assert space.size == 11_664 == len(everything) == len(set(everything.keys))
    assert space.is_valid(everything).all()


def test_the_published_network_and_the_extremes() -> None:
    """PiT-Ti has 4.85 million parameters in the paper (4.9)."""
    space, stages = PiT(), range(1, 4)
    assert count_as_built(space, PiT.reference["PiT-Ti"]) == 4_847_272
    for base, mlp, heads, depths, params in ((16, 2, 2, (1, 4, 2), 143_592), (40, 8, 8, (3, 8, 6), 35_921_640)):
        parts = [f"stage{i}.heads={heads};stage{i}.depth={d}" for i, d in zip(stages, depths, strict=True)]
        assert count_as_built(space, f"base={base};mlp={mlp};{';'.join(parts)}") == params


@pytest.mark.parametrize(
    ("name", "base", "heads", "depth", "patch", "params"),
    [
        ("xs", 48, (2, 4, 8), (2, 6, 4), None, 10_618_888),
        ("s", 48, (3, 6, 12), (2, 6, 4), None, 23_461_912),
        ("b", 64, (4, 8, 16), (3, 6, 4), 14, 73_764_840),
    ],
)
def test_larger_published_networks(
    name: str, base: int, heads: tuple[int, ...], depth: tuple[int, ...], patch: int | None, params: int
) -> None:
    """With the settings of PiT's constructor, and as timm has them."""
    space = PiT(bases=(base,), heads=heads, depths=[(d, d + 1) for d in depth], ratios=(4,), patch=patch)
    arch = space.from_config({"base_dims": [base] * 3, "heads": heads, "depth": depth, "mlp_ratio": 4.0})
    assert count_as_built(space, space.to_text(arch)) == params
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(f"pit_{name}_224")
        assert [p.shape for p in space.build(arch, IMAGENET).parameters()] == [p.shape for p in theirs.parameters()]


def test_low_fidelity() -> None:
    space = PiT()
    population = space.sample(4, np.random.default_rng(0))
    for width, depth in ((0.5, 1.0), (1.0, 0.5), (0.25, 2.0)):
        scaled = space.scaled(width, depth)
        with torch.device("meta"):
            built = [sum(p.numel() for p in scaled.build(a, DIGITS).parameters()) for a in population]
        assert scaled.count_parameters(population, DIGITS).tolist() == built
    arch = space.from_text(PiT.reference["PiT-Ti"])
    net = space.scaled(0.5, 0.5).build(arch, DIGITS)
    assert net.head.in_features == 128 and [len(net.stages[i]) for i in (0, 2, 4)] == [1, 3, 2]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"base_dims": [32, 32], "heads": [2, 4, 8], "depth": [2, 6, 4]}, "expected base_dims of 3 stages"),
        ({"base_dims": [32, 32, 16], "heads": [2, 4, 8], "depth": [2, 6, 4]}, "one channel count per head"),
        (
            {"base_dims": [32] * 3, "heads": [2, 4, 8], "depth": [2, 5, 4], "mlp_ratio": 4},
            "stage2.depth out of 4, 6, 8",
        ),
        (
            {"base_dims": [32] * 3, "heads": [2, 3, 8], "depth": [2, 6, 4], "mlp_ratio": 4},
            "stage2.heads out of 2, 4, 8",
        ),
        ({"base": 32, "mlp": 4}, "the field 'stage1.heads' is missing"),
    ],
)
def test_bad_configurations(config: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        PiT().from_config(config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bases": (0,)}, "positive bases and heads"),
        ({"ratios": (0, 1)}, "positive ratios"),
        ({"depths": ()}, "at least one stage"),
        ({"patch": 3}, "an even positive patch, got 3"),
    ],
)
def test_bad_settings(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PiT(**options)


def test_an_image_smaller_than_the_patch() -> None:
    space = PiT(patch=16)
    with pytest.raises(ConfigError, match="at least 16 x 16 pixels, the size of a patch, got 8 x 8"):
        space.build(space.sample(1, np.random.default_rng(0))[0], DIGITS)
