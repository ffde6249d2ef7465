"""Tests of FBNet: size, FBNet-C, HW-NAS-Bench's indices, timm."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gennas.errors import InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import FBNet, TaskSpec
from gennas.testing import SpaceContract

IMAGENET = TaskSpec("image", (3, 224, 224), 1000)


class TestFBNet(SpaceContract):
    num_samples, num_built = 24, 2

    def make_space(self) -> FBNet:
        return FBNet(width_mult=0.25)


def macs(network: torch.nn.Module) -> float:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 224, 224))
    return counter.get_total_flops() / 2e6


def test_size() -> None:
    """Nine choices in each of 22 layers, beyond 64 bits."""
    assert FBNet().size == 9**22 == 984_770_902_183_611_232_881


def test_fbnet_c() -> None:
    """Parameters exactly, multiply-adds in millions."""
    space = FBNet()
    arch = space.from_text(space.reference["FBNet-C"])
    with torch.device("meta"):
        network = space.build(arch, IMAGENET).eval()
    assert space.to_text(arch) == space.reference["FBNet-C"]
    assert sum(p.numel() for p in network.parameters()) == 5_572_200
    assert space.count_parameters(Population.of(space.schema, [arch]), IMAGENET).tolist() == [5_572_200]
    assert macs(network) == pytest.approx(384.96, abs=0.005)


def test_fbnet_c_is_timms() -> None:
    """The same parameters and multiply-adds as another implementation, and the same shapes of weights."""
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        other = timm.create_model("fbnetc_100").eval()
        own = FBNet().build(FBNet().from_text(FBNet.reference["FBNet-C"]), IMAGENET).eval()
    shapes = [sorted(tuple(p.shape) for p in network.parameters()) for network in (own, other)]
    assert shapes[0] == shapes[1]
    assert macs(own) == pytest.approx(macs(other), rel=1e-6)


def test_indices_of_hw_nas_bench() -> None:
    """Order: k3_e1, k3_e1_g2, k3_e3, k3_e6, the same with k5, skip."""
    space = FBNet()
    arch = space.from_config({"op_idx_list": [0, 1, 2, 3, 4, 5, 6, 7, 8, *[8] * 13]})
    assert space.to_text(arch).startswith("k3_e1|k3_e1_g2,k3_e3,k3_e6,k5_e1|k5_e1_g2,k5_e3,k5_e6,skip|skip,")
    assert space.from_config(space.config(arch)) == arch
    for wrong in ([0] * 21, [9] + [0] * 21, "0" * 22, 3):
        with pytest.raises(InvalidArchitectureError, match="expected op_idx_list of 22 indices from 0 to 8"):
            space.from_config({"op_idx_list": wrong})


def test_skips_project_where_the_shape_changes() -> None:
    """A network of skips alone is six projections, stem, head and classifier."""
    space = FBNet()
    arch = space.from_config({"op_idx_list": [8] * 22})
    widths = (16, 24, 32, 64, 112, 184, 352)
    projections = sum((a + 2) * b for a, b in pairwise(widths))
    expected = 29 * 16 + projections + 354 * 1984 + 1985 * 1000
    assert space.count_parameters(Population.of(space.schema, [arch]), IMAGENET).tolist() == [expected]
    assert space.build(arch, TaskSpec("image", (3, 32, 32), 3))(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize("text", ["k3_e1", FBNet.reference["FBNet-C"] + "|skip", FBNet.reference["FBNet-C"] + ",skip"])
def test_wrong_lengths_are_refused(text: str) -> None:
    """Seven stages of 1, 4, 4, 4, 4, 4 and 1 layers."""
    with pytest.raises(InvalidArchitectureError, match=r"expected (7 stages|1 entries)"):
        FBNet().from_text(text)
