"""Tests of the strides that an image bears."""

from __future__ import annotations

import pytest

from gennas.spaces.strides import kept_strides


@pytest.mark.parametrize(
    ("side", "min_side", "kept"),
    [
        (224, 4, [2, 1, 2, 2, 2, 1, 2]),
        (128, 4, [2, 1, 2, 2, 2, 1, 2]),
        (127, 4, [2, 1, 2, 2, 2, 1, 2]),  # sides are rounded up: 64, 32, 16, 8, 4
        (96, 4, [1, 1, 2, 2, 2, 1, 2]),
        (32, 4, [1, 1, 1, 2, 2, 1, 2]),
        (8, 4, [1, 1, 1, 1, 1, 1, 2]),
        (8, 1, [2, 1, 2, 2, 2, 1, 2]),
        (1, 4, [1] * 7),
    ],
)
def test_first_strides_are_left_out_on_small_images(side: int, min_side: int, kept: list[int]) -> None:
    """The last map has a side of at least ``min_side``, or of the image; with 1 all are kept."""
    assert kept_strides([2, 1, 2, 2, 2, 1, 2], side, min_side) == kept
