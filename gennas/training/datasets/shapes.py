"""Segmentation of drawn shapes, generated from seeds."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, Part, SegmentationData
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["SHAPES", "shapes"]

SHAPES = ("background", "disc", "square", "triangle")
_SIZES: dict[Part, int] = {"train": 1200, "validation": 300, "test": 300}
_SIDE, _NOISE = 32, 0.1


@TASKS.register("shapes")
def shapes() -> Task:
    """Discs, squares and triangles on a textured ground: 32×32 pixels, four classes, 1,200 / 300 / 300, offline.

    One to three shapes of 5 to 14 pixels at random places, in colours that tell them from the ground but not from each
    other, with noise: a network has to see a neighbourhood. 608 steps of 32 images.
    """
    spec = TaskSpec("segmentation", (3, _SIDE, _SIDE), len(SHAPES))
    config = TrainConfig(epochs=16, batch_size=32, lr=5e-3)
    return Task("shapes", spec, _load, "generated 1200/300/300, seed 0", config)


@cache
def _load() -> SegmentationData:
    rng = np.random.default_rng(0)
    drawn = {part: [_draw(rng) for _ in range(_SIZES[part])] for part in PARTS}
    x = {part: torch.from_numpy(np.stack([image for image, _ in found])) for part, found in drawn.items()}
    y = {part: torch.from_numpy(np.stack([mask for _, mask in found])) for part, found in drawn.items()}
    return SegmentationData.of(x, y)


def _draw(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """An image ``(3, h, w)`` and its mask ``(h, w)``; later shapes cover earlier ones."""
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    angle, phase, period = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(4, 12)
    wave = np.sin(2 * np.pi / period * (np.cos(angle) * rows + np.sin(angle) * columns) + phase)
    ground = rng.uniform(0.3, 0.7, (3, 1, 1))
    image = ground + 0.1 * wave
    mask = np.zeros((_SIDE, _SIDE), dtype=np.uint8)
    for _ in range(rng.integers(1, 4)):
        kind, size = int(rng.integers(1, len(SHAPES))), int(rng.integers(5, 15))
        top, left = rng.integers(0, _SIDE - size + 1, 2)
        inside = _inside(kind, rows - top, columns - left, size)
        mask[inside] = kind
        shift = rng.choice([-1, 1], (3, 1)) * rng.uniform(0.3, 0.6, (3, 1))
        image[:, inside] = ground[:, :, 0] + shift + rng.normal(0, 0.05, (3, int(inside.sum())))
    return (image + rng.normal(0, _NOISE, image.shape)).astype(np.float32), mask


def _inside(kind: int, r: NDArray[np.int64], c: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Pixels of a shape in a box of ``size`` pixels whose corner is at ``r = c = 0``."""
    box = (r >= 0) & (r < size) & (c >= 0) & (c < size)
    middle = (size - 1) / 2
    if SHAPES[kind] == "disc":
        found = box & ((r - middle) ** 2 + (c - middle) ** 2 <= (size / 2) ** 2)
    elif SHAPES[kind] == "triangle":
        found = box & (np.abs(c - middle) <= (r + 1) / 2)
    else:
        found = box
    return np.asarray(found, dtype=np.bool_)
