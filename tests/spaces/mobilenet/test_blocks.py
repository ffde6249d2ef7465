"""Tests of inverted bottlenecks: parameters and channels."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.spaces import FBNet
from gennas.spaces.mobilenet.blocks import Block, make_divisible


def test_parameters_of_a_block_by_hand() -> None:
    """8 to 12 channels over 16: 8*16 + 32, 9*16 + 32, 16*12 + 24; two groups halve the 1x1 convolutions."""
    assert Block(8, 12, 16, 3).num_parameters == 128 + 32 + 144 + 32 + 192 + 24
    assert Block(8, 12, 16, 3, groups=2).num_parameters == 64 + 32 + 144 + 32 + 96 + 24
    assert Block(16, 12, 16, 3, expands=False).num_parameters == 144 + 32 + 192 + 24
    assert Block(8, 12, 16, 3, squeeze=4).num_parameters == 552 + 16 * 4 + 4 + 4 * 16 + 16
    assert Block(8, 12, 0, projects=True).num_parameters == 8 * 12 + 24
    assert Block(8, 8, 0).num_parameters == 0


def test_channels_are_multiples_of_eight_and_not_much_fewer() -> None:
    """The rule of MobileNet: 9.6 becomes 16, since 8 is more than a tenth less."""
    assert [make_divisible(c) for c in (1, 8, 9.6, 18, 28.8, 134.4, 192)] == [8, 8, 16, 24, 32, 136, 192]


@pytest.mark.parametrize("options", [{"width_mult": 0}, {"min_side": 0}])
def test_scales_are_checked(options: dict[str, int]) -> None:
    """One line that says what was expected."""
    with pytest.raises(ConfigError, match="fbnet: expected width_mult > 0 and min_side >= 1"):
        FBNet(**options)
