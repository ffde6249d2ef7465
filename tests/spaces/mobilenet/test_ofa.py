"""Tests of Once-for-all: size, published counts, the official dictionaries, resolutions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import OFA, TaskSpec
from gennas.testing import SpaceContract

IMAGENET = TaskSpec("image", (3, 224, 224), 1000)


class TestOFA(SpaceContract):
    num_samples, num_built = 24, 2

    def make_space(self) -> OFA:
        return OFA(width_mult=0.25)


class TestOFAWithResolutions(SpaceContract):
    num_samples, num_built = 16, 1
    specs = (TaskSpec("image", (1, 8, 8), 10),)

    def make_space(self) -> OFA:
        return OFA(resolutions=(8, 12, 16), width_mult=0.25)


def test_sizes() -> None:
    """Two to four layers of nine kinds in five units; 25 published resolutions."""
    assert OFA().size == (9**2 + 9**3 + 9**4) ** 5 == 21_758_655_492_572_485_851
    assert OFA(resolutions=range(128, 225, 4)).size == 25 * 21_758_655_492_572_485_851


@pytest.mark.parametrize(
    ("width", "name", "parameters", "macs"),
    [
        (1, "smallest", 3_410_792, 121.28),
        (1, "middle", 4_551_792, 250.75),
        (1, "largest", 7_664_760, 566.17),
        (1.2, "smallest", 4_602_456, 193.08),
        (1.2, "middle", 6_245_312, 385.66),
        (1.2, "largest", 10_701_632, 843.10),
    ],
)
def test_networks_of_the_reference_code(width: float, name: str, parameters: int, macs: float) -> None:
    """Parameters exactly, multiply-adds in millions at 224 pixels."""
    space = OFA(width_mult=width)
    arch = space.from_text(space.reference[f"OFA-{name}"])
    assert space.to_text(arch) == space.reference[f"OFA-{name}"]
    with torch.device("meta"):
        network = space.build(arch, IMAGENET).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 3, 224, 224))
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert space.count_parameters(Population.of(space.schema, [arch]), IMAGENET).tolist() == [parameters]
    assert counter.get_total_flops() / 2e6 == pytest.approx(macs, abs=0.0051)


def official(**changes: Any) -> dict[str, Any]:
    return {"wid": None, "ks": [3, 5, 7, 3] * 5, "e": [3, 4, 6, 3] * 5, "d": [2, 3, 4, 2, 3], **changes}


def test_official_dictionaries_round_trip() -> None:
    """Entries beyond the depth are not read; what is written reads back as the same."""
    space = OFA()
    arch = space.from_config(official())
    assert space.config(arch)["unit2.k"] == [3, 5, 7] and space.config(arch)["unit4.e"] == [3, 4]
    other = official()
    other["ks"][2:4] = [7, 7]  # layers 3 and 4 of the first unit, whose depth is 2
    assert space.from_config(other) == arch != space.from_config(official(d=[3, 3, 4, 2, 3]))
    written = space.official(arch)
    assert written["d"] == [2, 3, 4, 2, 3] and written["ks"][:8] == [3, 5, 5, 5, 3, 5, 7, 7]
    assert space.from_config(written) == arch == space.from_config(space.config(arch))


def test_a_resolution_is_read_and_used() -> None:
    """Networks scale their images; strides follow the scaled side."""
    space = OFA(resolutions=(16, 128))
    arch = space.from_config(official(r=[128]))
    assert space.official(arch)["r"] == [128] and space.to_text(arch).startswith("resolution=128;unit1.depth=2")
    network = OFA(resolutions=(16, 128), width_mult=0.1).build(arch, TaskSpec("image", (3, 8, 8), 5)).eval()
    stem = network.stem(network.resize(torch.zeros(1, 3, 8, 8)))
    assert stem.shape[-1] == 64 and network.blocks(stem).shape[-1] == 4
    small = space.from_config(official(r=16))
    assert space.build(small, TaskSpec("image", (3, 8, 8), 5)).stem[0].stride == (1, 1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (official(ks=[3] * 19), "expected 20 entries of ks, got 19"),
        (official(e=6), "expected 20 entries of e, got 6"),
        (official(d=[2, 2, 2, 2]), "expected 5 entries of d, got 4"),
        (official(d=[2, 2, 5, 2, 2]), "expected unit3.depth out of 2, 3, 4, got '5'"),
        (official(d=["2", 2, 2, 2, 2]), "expected 2 entries of unit1.k, one for each layer, got 0"),
        (official(ks=[9] * 20), "expected unit1.k of layer 1 out of 3, 5, 7, got '9'"),
        (official(wid=[0]), "expected no 'wid'"),
        ({"d": [2] * 5}, "unknown field 'd'"),
    ],
)
def test_wrong_dictionaries_are_one_clear_line(config: dict[str, Any], message: str) -> None:
    """What was expected and what came."""
    with pytest.raises(InvalidArchitectureError) as caught:
        OFA().from_config(config)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_resolutions_are_checked() -> None:
    """Positive whole numbers."""
    with pytest.raises(ConfigError, match="expected positive resolutions, got \\(128, 0\\)"):
        OFA(resolutions=(128, 0))
