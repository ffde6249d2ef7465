"""Tests of what the two spaces share."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.spaces import TransNASMacro, TransNASMicro
from gennas.spaces.transnas.skeleton import Place, channels, places, stem_parameters


def test_modules_double_and_halve_in_their_first_block() -> None:
    """Digits 2, 3, 4 of a skeleton of two blocks each."""
    found = list(places(["double", "half", "both"], 4, 2))
    assert found == [Place(4, 8, 1), Place(8, 8, 1), Place(8, 8, 2), Place(8, 8, 1), Place(8, 16, 2), Place(16, 16, 1)]
    assert [place.keeps_shape for place in found] == [False, True, False, True, False, True]


def test_channels_are_even() -> None:
    """The stem's first convolution has half of them."""
    assert [channels(64, factor) for factor in (1, 0.25, 0.05, 0.001)] == [64, 16, 4, 2]


def test_stem_by_hand() -> None:
    """3 to 32 to 64 channels with 3x3 kernels and batch norms."""
    assert stem_parameters(3, 64) == 27 * 32 + 64 + 9 * 32 * 64 + 128


@pytest.mark.parametrize("space", [TransNASMicro, TransNASMacro])
@pytest.mark.parametrize("options", [{"width": 3}, {"width": 0}, {"blocks": 0}, {"min_side": 0}])
def test_settings_are_checked(space: type[TransNASMicro], options: dict[str, int]) -> None:
    """One line with the rule."""
    with pytest.raises(ConfigError, match="expected an even, positive width, blocks >= 1 and min_side >= 1"):
        space(**options)
