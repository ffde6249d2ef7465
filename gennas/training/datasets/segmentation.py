"""Pascal VOC and Cityscapes through torchvision, from the user's files.

Sources: Everingham et al. 2010; Cordts et al. 2016 (arXiv 1604.01685). A tenth of the official training images, always
the same, is set aside for validation; the official validation images are the test part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import Part, SegmentationData, stratified_split
from gennas.training.datasets._root import dataset_root, missing, not_fetched
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["cityscapes", "voc"]

_CONFIG = TrainConfig(epochs=30, batch_size=16, lr=1e-3, flip=True, threads=None, eval_batch_size=32)


@TASKS.register("voc")
def voc(root: str | Path | None = None, download: bool = False, size: int = 128) -> Task:
    """Pascal VOC 2012, 20 classes and background: 1,318 / 146 / 1,449 images, made square.

    Args:
        root: folder of the files (``VOCdevkit`` in it), by default the variable GENNAS_DATASETS or
            ``~/.cache/gennas``.
        download: fetch them now if they are not there.
        size: height and width that images are resized to.

    Raises:
        ConfigError: they are not there, or could not be fetched.
    """
    folder = dataset_root(root)
    return _task("voc", 21, folder, (size, size), download)


@TASKS.register("cityscapes")
def cityscapes(root: str | Path | None = None, size: int = 128) -> Task:
    """Cityscapes, 19 classes: 2,677 / 298 / 500 images, twice as wide as high. Files are had from its authors alone.

    Args:
        root: folder of ``leftImg8bit`` and ``gtFine``, by default ``cityscapes`` in the variable GENNAS_DATASETS or
            in ``~/.cache/gennas``.
        size: height that images are resized to.

    Raises:
        ConfigError: the files are not there.
    """
    folder = Path(root).expanduser() if root is not None else dataset_root(None) / "cityscapes"
    return _task("cityscapes", 19, folder, (size, 2 * size), False)


def _voc(folder: Path, train: bool, download: bool) -> Any:
    from torchvision.datasets import VOCSegmentation

    return VOCSegmentation(str(folder), image_set="train" if train else "val", download=download)


def _cityscapes(folder: Path, train: bool, download: bool) -> Any:
    from torchvision.datasets import Cityscapes

    return Cityscapes(str(folder), split="train" if train else "val", mode="fine", target_type="semantic")


_OPEN: Mapping[str, Callable[[Path, bool, bool], Any]] = {"voc": _voc, "cityscapes": _cityscapes}


def _task(name: str, classes: int, folder: Path, size: tuple[int, int], download: bool) -> Task:
    if size[0] < 1:
        raise ConfigError(f"Task {shown(name)}: expected a positive size, got {size[0]}.")
    try:
        for train in (True, False):
            _OPEN[name](folder, train, download)
    except (OSError, RuntimeError) as error:
        raise (not_fetched(name, folder, error) if download else missing(name, folder)) from error
    spec = TaskSpec("segmentation", (3, *size), classes)
    split = f"official validation as test, random 90/10 of official train, seed 0, size {size[0]}x{size[1]}"
    return Task(name, spec, partial(_load, name, folder, size), split, _CONFIG)


@cache
def _load(name: str, folder: Path, size: tuple[int, int]) -> SegmentationData:
    try:
        train, test = (_tensors(_OPEN[name](folder, train, False), size) for train in (True, False))
    except (OSError, RuntimeError) as error:
        raise missing(name, folder) from error
    keep, held = stratified_split(torch.zeros(len(train[0]), dtype=torch.long), (0.9, 0.1), seed=0)
    x: dict[Part, Tensor] = {"train": train[0][keep], "validation": train[0][held], "test": test[0]}
    y: dict[Part, Tensor] = {"train": train[1][keep], "validation": train[1][held], "test": test[1]}
    return SegmentationData.of(x, y)


def _tensors(dataset: Any, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images ``(n, 3, h, w)`` and masks ``(n, h, w)``, as bytes; classes that are not evaluated are 255."""
    from PIL import Image

    images, masks = [], []
    table = _train_ids(dataset)
    for image, mask in dataset:
        images.append(np.asarray(image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)))
        masks.append(table[np.asarray(mask.resize(size[::-1], Image.Resampling.NEAREST), dtype=np.uint8)])
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return x, torch.from_numpy(np.stack(masks))


def _train_ids(dataset: Any) -> Any:
    """Class by value of a mask: Cityscapes evaluates 19 of its 34."""
    table = np.arange(256).astype(np.uint8)
    classes = getattr(dataset, "classes", None)
    if classes is not None:
        for item in classes:
            if item.id >= 0:
                table[item.id] = item.train_id if 0 <= item.train_id < 19 else 255
    return table
