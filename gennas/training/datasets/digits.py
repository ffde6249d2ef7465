"""The digits of scikit-learn: 1,797 images of 8×8, offline; the default task, and others made of the same images.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
"""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, ImageData, PairData, Part, resize, stratified_split
from gennas.training.given.base import numbers
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["digit_halves", "digit_slant", "digits"]

SPLIT = "stratified 60/20/20, seed 0"


@TASKS.register("digits")
def digits(size: int = 8) -> Task:
    """Ten classes; 60 % train, 20 % validation, 20 % test, stratified, always the same split.

    Args:
        size: height and width that the images of 8×8 are resized to.

    Raises:
        ConfigError: the size is not positive.
    """
    if size < 1:
        raise ConfigError(f"Task 'digits': expected a positive size, got {size}.")
    split = SPLIT if size == 8 else f"{SPLIT}, size {size}"
    return Task("digits", TaskSpec("image", (1, size, size), 10), partial(_load, size), split, TrainConfig())


@TASKS.register("digit-halves")
def digit_halves() -> Task:
    """Two inputs: the left three columns and the bottom three rows of a digit; ten classes, offline.

    Either alone leaves much unsaid, so that it matters how a network joins them.
    """
    spec = TaskSpec("pair", (1, 8, 3), 10, second_shape=(1, 3, 8))
    return Task("digit-halves", spec, _load_halves, SPLIT, TrainConfig())


@TASKS.register("digit-slant")
def digit_slant() -> Task:
    r"""Regression: how far a digit leans, :math:`\mu_{11} / \mu_{02}` of its pixels; offline.

    The central moments :math:`\mu` of the image say how its strokes move sideways from row to row.
    """
    spec = TaskSpec("image", (1, 8, 8), 1)
    return Task("digit-slant", spec, _load_slant, SPLIT, TrainConfig(), targets="numbers")


@cache
def _raw() -> tuple[dict[Part, Tensor], dict[Part, Tensor]]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(pixels).to(torch.uint8).view(-1, 1, 8, 8)
    y = torch.from_numpy(labels).long()
    index = dict(zip(PARTS, stratified_split(y, (0.6, 0.2, 0.2), seed=0), strict=True))
    return {part: x[i] for part, i in index.items()}, {part: y[i] for part, i in index.items()}


@cache
def _load(size: int = 8) -> ImageData:
    x, y = _raw()
    if size != 8:
        x = {part: resize(images, (size, size)) for part, images in x.items()}
    return ImageData.of(x, y)


@cache
def _load_halves() -> PairData:
    x, y = _raw()
    return PairData.of({p: t[..., :3] for p, t in x.items()}, {p: t[:, :, 5:] for p, t in x.items()}, y)


@cache
def _load_slant() -> ImageData:
    x, _ = _raw()
    return ImageData.of(x, numbers("Task 'digit-slant'", {part: slant(images[:, 0]) for part, images in x.items()}))


def slant(images: Tensor) -> Tensor:
    """Moments ``mu_11 / mu_02`` of images ``(n, h, w)``: columns that the mass moves by per row."""
    mass = images.double()
    mass = mass / mass.sum((1, 2), keepdim=True)
    row, column = (torch.arange(s, dtype=torch.float64) for s in images.shape[1:])
    rows, columns = row[:, None], column[None, :]
    r = rows - (mass * rows).sum((1, 2), keepdim=True)
    c = columns - (mass * columns).sum((1, 2), keepdim=True)
    return (mass * r * c).sum((1, 2)) / (mass * r * r).sum((1, 2))
