"""Dense prediction cells: exact sizes, the published cell, texts, uniform samples."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.spaces import DPC, DensePrediction, TaskSpec
from gennas.testing import SpaceContract

SMALL = TaskSpec("segmentation", (3, 8, 8), 4)
OFFICIAL = [
    {"kernel": 3, "rate": [1, 6], "op": "conv", "input": -1},
    {"kernel": 3, "rate": [18, 15], "op": "conv", "input": 0},
    {"kernel": 3, "rate": [6, 3], "op": "conv", "input": 1},
    {"kernel": 3, "rate": [1, 1], "op": "conv", "input": 0},
    {"kernel": 3, "rate": [6, 21], "op": "conv", "input": 0},
]


class TestDensePrediction(SpaceContract):
    num_samples = 32
    specs = (SMALL, TaskSpec("segmentation", (1, 5, 7), 2), TaskSpec("segmentation", (3, 32, 32), 4))

    def make_space(self) -> DensePrediction:
        return DensePrediction(width=4)


class TestDPC(SpaceContract):
    num_samples = 16
    num_built = 1
    specs = (SMALL,)

    def make_space(self) -> DPC:
        return DPC(width=4)


def test_exact_sizes() -> None:
    assert DensePrediction().size == 6 * 13**3 == 13_182
    assert DPC().size == 120 * 81**5 == 418_414_128_120
    assert DPC().schema.num_decisions == 5 + 14


def test_all_of_a_small_space_are_drawn_equally_often() -> None:
    space = DensePrediction(branches=3, rates=(1,), grids=(1,))
    assert space.size == 6 * 27
    drawn = Counter(map(space.to_text, space.sample(162 * 50, np.random.default_rng(0))))
    assert len(drawn) == 162 and chisquare(list(drawn.values())).pvalue > 1e-3


def test_the_published_cell_is_read() -> None:
    space = DPC()
    arch = space.from_config(OFFICIAL)
    assert space.to_text(arch) == space.reference["DPC-Cityscapes"]
    assert space.from_text(space.reference["DPC-Cityscapes"]) == arch
    mixed = [
        {"op": "pyramid_pooling", "grid_size": [8, 2], "input": -1},
        {"op": "conv", "kernel": 1, "input": 0},
        *OFFICIAL[2:],
    ]
    assert space.to_text(space.from_config(mixed)).startswith("pool8x2~0|conv1x1~1|")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv1x1~0|conv1x1~0", "expected 3 branches, got 2"),
        ("conv1x1~0|conv1x1~0|conv1x1", "expected branches like"),
        ("conv1x1~1|conv1x1~0|conv1x1~0", r"branch 1 to take the features \(0\) or a branch before it, got 1"),
        ("conv1x1~0|sep9x9~0|conv1x1~0", "out of conv1x1, sep1x1, .* got 'sep9x9'"),
    ],
)
def test_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        DensePrediction().from_text(text)


def test_malformed_configurations_are_refused() -> None:
    for wrong in (OFFICIAL[:4], [*OFFICIAL[:4], {"op": "conv"}], [*OFFICIAL[:4], 3]):
        with pytest.raises(InvalidArchitectureError, match="dpc: expected"):
            DPC().from_config(wrong)  # type: ignore[arg-type]


def test_fidelities_and_options() -> None:
    assert DensePrediction(branches=2).scaled(width=0.5).options == {"branches": 2, "width": 8}
    assert DPC().scaled(width=0.25).options == {"width": 64}
    with pytest.raises(ConfigError, match="no depth fidelity"):
        DensePrediction().scaled(depth=0.5)
    for wrong in ({"rates": (1, 1)}, {"grids": ()}, {"rates": (0,)}):
        with pytest.raises(ConfigError, match="different positive rates and grids"):
            DensePrediction(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one branch"):
        DensePrediction(branches=0)
