"""The digits of scikit-learn: 1,797 images of 8×8, offline; the default task.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
"""

from __future__ import annotations

from functools import cache

import torch

from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, ImageData, stratified_split
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["digits"]


@TASKS.register("digits")
def digits() -> Task:
    """Ten classes; 60 % train, 20 % validation, 20 % test, stratified, always the same split."""
    spec = TaskSpec("image", (1, 8, 8), 10)
    return Task("digits", spec, _load, "stratified 60/20/20, seed 0", TrainConfig())


@cache
def _load() -> ImageData:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(pixels).to(torch.uint8).view(-1, 1, 8, 8)
    y = torch.from_numpy(labels).long()
    index = dict(zip(PARTS, stratified_split(y, (0.6, 0.2, 0.2), seed=0), strict=True))
    return ImageData.of({part: x[i] for part, i in index.items()}, {part: y[i] for part, i in index.items()})
