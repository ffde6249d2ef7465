"""Tests of ProxylessNAS: size, published networks, text, refusals."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import ProxylessNAS, TaskSpec
from gennas.testing import SpaceContract

IMAGENET = TaskSpec("image", (3, 224, 224), 1000)


class TestProxylessNAS(SpaceContract):
    num_samples, num_built = 24, 2

    def make_space(self) -> ProxylessNAS:
        return ProxylessNAS(width_mult=0.25)


def test_size_counts_skips_only_where_shapes_agree() -> None:
    """Six first layers of units without skip, fifteen others with it."""
    assert ProxylessNAS().size == 6**6 * 7**15 == 221_502_229_807_900_608


@pytest.mark.parametrize(
    ("skeleton", "name", "parameters", "macs"),
    [("mobile", "mobile", 4_080_512, 320.43), ("gpu", "GPU", 7_119_848, 465.26), ("cpu", "CPU", 4_361_648, 439.24)],
)
def test_published_networks(skeleton: str, name: str, parameters: int, macs: float) -> None:
    """Parameters exactly, multiply-adds in millions (published: 320 M for mobile)."""
    space = ProxylessNAS(skeleton)
    arch = space.from_text(space.reference[f"ProxylessNAS-{name}"])
    assert space.to_text(arch) == space.reference[f"ProxylessNAS-{name}"]
    with torch.device("meta"):
        network = space.build(arch, IMAGENET).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 3, 224, 224))
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert space.count_parameters(Population.of(space.schema, [arch]), IMAGENET).tolist() == [parameters]
    assert counter.get_total_flops() / 2e6 == pytest.approx(macs, abs=0.0051)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k3_e3", "expected 6 stages, got 1"),
        (
            ProxylessNAS.reference["ProxylessNAS-GPU"].replace("k5_e3,skip,skip,skip", "k5_e3,skip", 1),
            "expected 4 entries",
        ),
        (ProxylessNAS.reference["ProxylessNAS-GPU"].replace("k5_e3", "skip", 1), "out of k3_e3, k3_e6"),
        (ProxylessNAS.reference["ProxylessNAS-GPU"].replace("k7_e6", "k9_e6"), "got 'k9_e6'"),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    """What was expected and what came."""
    with pytest.raises(InvalidArchitectureError) as caught:
        ProxylessNAS().from_text(text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_skeleton_is_refused() -> None:
    """The known ones are listed."""
    with pytest.raises(ConfigError, match="expected skeleton out of search, mobile, gpu, cpu, got 'tpu'"):
        ProxylessNAS("tpu")  # type: ignore[arg-type]
