"""Parameters of DARTS networks by formula."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gennas.spaces.darts.genotype import OPERATIONS
from gennas.spaces.spec import TaskSpec

__all__ = ["Skeleton", "cell_plan", "operation_parameters", "skeleton_parameters"]


def cell_plan(num_cells: int, width: int, stem: str) -> list[tuple[int, int, int, bool, bool]]:
    """Channels before the last cell, of the last one and of the nodes; whether this and the last cell reduce.

    Cells at one and two thirds reduce: they double the channels. The ImageNet stem counts as a reduction.
    """
    before, last, channels = (3 * width, 3 * width, width) if stem == "cifar" else (width, width, width)
    reduced, plan = stem == "imagenet", []
    for i in range(num_cells):
        reduces = i in (num_cells // 3, 2 * num_cells // 3)
        channels *= 2 if reduces else 1
        plan.append((before, last, channels, reduces, reduced))
        before, last, reduced = last, 4 * channels, reduces
    return plan


@dataclass(frozen=True)
class Skeleton:
    """Parameters that no choice changes; channels of each cell and whether it is a reduction."""

    fixed: int
    cells: tuple[tuple[int, bool], ...]


def skeleton_parameters(spec: TaskSpec, num_cells: int, width: int, auxiliary: bool, stem: str) -> Skeleton:
    """Stem, the 1x1 convolutions that lead into cells, classifiers; all with their normalisation."""
    images, classes = spec.input_shape[0], spec.num_outputs
    plan = cell_plan(num_cells, width, stem)
    if stem == "cifar":
        fixed = 27 * images * width + 6 * width
    else:
        half = width // 2
        fixed = 9 * images * half + 2 * half + 9 * half * width + 2 * width + 9 * width * width + 2 * width
    fixed += sum((before + last) * c + 4 * c for before, last, c, _, _ in plan)
    fixed += (4 * plan[-1][2] + 1) * classes
    if auxiliary:
        inputs = 4 * plan[2 * num_cells // 3][2]
        fixed += 128 * inputs + 256 + 4 * 128 * 768 + 2 * 768 + 769 * classes
    return Skeleton(fixed, tuple((c, reduces) for _, _, c, reduces, _ in plan))


@cache
def operation_parameters(channels: int, halves: bool) -> NDArray[np.int64]:
    """Parameters of ``none`` and of each operation with ``channels`` in and out, ``(8,)``."""
    c = channels
    found = {"skip_connect": c * c + 2 * c if halves else 0}
    for k in (3, 5):
        found[f"dil_conv_{k}x{k}"] = k * k * c + c * c + 2 * c
        found[f"sep_conv_{k}x{k}"] = 2 * found[f"dil_conv_{k}x{k}"]
    return np.array([0, *(found.get(operation, 0) for operation in OPERATIONS)], dtype=np.int64)
