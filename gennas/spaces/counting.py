"""Counts of architectures and of labels."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import IntArray

__all__ = ["allowed_labels", "checked_counts", "exact_counts", "size_text"]

_BITS_IN_FULL = 64  # larger sizes are told by their order of magnitude


def exact_counts(counts: Sequence[int] | Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Counts as float64 where it holds each and their sums exactly, else as Python integers (``dtype=object``).

    Example:
        >>> exact_counts([3, 0])
        array([3., 0.])
        >>> exact_counts([2**60 + 1, 0])
        array([1152921504606846977, 0], dtype=object)
    """
    exact = np.array(counts, dtype=object)
    return exact if exact.size and exact.max() > _EXACT else exact.astype(np.float64)


_EXACT = 2**45  # so that sums of 256 of them stay exact


def checked_counts(counts: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The counts, unless they overflowed.

    Args:
        counts: what :meth:`gennas.spaces.Space.completions` gave.
        name: of the space.

    Raises:
        ConfigError: one is negative, infinite or not a number.
    """
    if not bool(np.all((counts >= 0) & (counts < math.inf))):
        wrong = reprlib.repr(counts[0].tolist())
        raise ConfigError(
            f"Space {name!r}: completions gives {wrong}, expected numbers of architectures; where they are "
            "too large for float64, give Python integers in an array of dtype=object."
        )
    return counts


def allowed_labels(mask: NDArray[np.bool_]) -> IntArray:
    """Allowed labels of each decision, packed to the left, ``(d, L)``."""
    packed: IntArray = np.argsort(~mask, axis=1, kind="stable").astype(np.int16)
    return packed


def size_text(size: int | None) -> str:
    """A number of architectures in words.

    Example:
        >>> size_text(15625), size_text(10**30), size_text(None)
        ('15,625 architectures', 'about 1e30 architectures', 'size not counted')
    """
    if size is None:
        return "size not counted"
    if size.bit_length() > _BITS_IN_FULL:
        return f"about 1e{math.floor(math.log10(size))} architectures"
    return f"{size:,} architecture{'' if size == 1 else 's'}"
