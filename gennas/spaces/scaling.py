"""Low fidelities of layered networks: widths rounded to what a network admits, layers cut or repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError

__all__ = ["refuse_depth", "refuse_shared_depth", "rounded_to", "scaled_count", "stretched", "stretched_layers"]

T = TypeVar("T")


def refuse_depth(space: str, depth: float, why: str = "layers are its decisions") -> None:
    """Refuse a depth fidelity other than 1, for spaces that choose or fix the number of their layers.

    Raises:
        ConfigError: ``depth`` is not 1.
    """
    if depth != 1:
        raise ConfigError(f"Space {space!r} has no depth fidelity: {why}; leave it at 1.")


def refuse_shared_depth(space: str, depth: float) -> None:
    """Refuse a depth fidelity other than 1 in a network of shared weights, whose layers stand where they stand.

    Raises:
        ConfigError: ``depth`` is not 1.
    """
    if depth != 1:
        raise ConfigError(f"{space}: layers are shared at their own depth only; leave the depth fidelity at 1.")


def rounded_to(value: float, step: int) -> int:
    """The positive multiple of ``step`` next to a value.

    Example:
        >>> rounded_to(17, 8), rounded_to(1, 8)
        (16, 8)
    """
    return step * max(1, math.floor(value / step + 0.5))


def stretched(layers: Sequence[T], factor: float) -> list[T]:
    """``factor`` times the layers: cut from the end, or the last one repeated.

    Example:
        >>> stretched("abc", 0.5), stretched("ab", 2)
        (['a', 'b'], ['a', 'b', 'b', 'b'])
    """
    return [layers[min(i, len(layers) - 1)] for i in range(scaled_count(len(layers), factor))]


def stretched_layers(depth: NDArray[np.integer], factor: float) -> NDArray[np.intp]:
    """Which layer of each network stands in each place after :func:`stretched`, ``(b, layers)``; -1 beyond the end.

    Example:
        >>> stretched_layers(np.array([1, 2]), 1.5).tolist()
        [[0, 0, -1], [0, 1, 1]]
    """
    counts = np.array([scaled_count(int(d), factor) for d in depth], dtype=np.intp)
    place = np.arange(counts.max(initial=0))
    found: NDArray[np.intp] = np.where(place < counts[:, None], np.minimum(place, depth[:, None] - 1), -1)
    return found


def scaled_count(count: int, factor: float) -> int:
    """``factor`` times a number of cells, rounded half up, at least 1.

    Example:
        >>> scaled_count(3, 0.5), scaled_count(1, 0.1)
        (2, 1)
    """
    return max(1, math.floor(count * factor + 0.5))
