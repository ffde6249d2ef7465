"""Which of the published strides a small image bears."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["kept_strides"]


def kept_strides(strides: Sequence[int], side: int, min_side: int) -> list[int]:
    """The strides that an image bears: the first ones become 1 until the last map has a side of ``min_side``.

    Sides are rounded up, as convolutions do that keep the size at stride 1. This is what the published networks
    for images of 32 pixels do (HW-NAS-Bench's FBNet: stem and second stage without stride).

    Example:
        >>> kept_strides([2, 1, 2, 2, 2, 1, 2], 224, 4), kept_strides([2, 1, 2, 2, 2, 1, 2], 32, 4)
        ([2, 1, 2, 2, 2, 1, 2], [1, 1, 1, 2, 2, 1, 2])
    """
    kept = list(strides)
    for i, stride in enumerate(strides):
        last = side
        for s in kept:
            last = -(-last // s)
        if last >= min_side:
            break
        kept[i] = 1 if stride > 1 else stride
    return kept
