"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 through torchvision.

Sources: LeCun et al. 1998; Xiao et al. 2017 (arXiv 1708.07747); Krizhevsky 2009. A tenth of the
official training images, stratified and always the same, is set aside for validation; the official
test images are the test part.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import ImageData, Part, resize, stratified_split
from gennas.training.datasets._root import dataset_root, missing, not_fetched
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]

SPLIT = "official test, stratified 90/10 of official train, seed 0"
CIFAR_CONFIG = TrainConfig(
    epochs=50,
    batch_size=256,
    optimizer="sgd",
    lr=0.1,
    weight_decay=5e-4,
    warmup=0.05,
    crop_padding=4,
    flip=True,
    threads=None,
)
MNIST_CONFIG = TrainConfig(epochs=10, batch_size=128, lr=3e-3, threads=None)


@TASKS.register("mnist")
def mnist(root: str | Path | None = None, download: bool = False, size: int | None = None) -> Task:
    """Handwritten digits, 28×28: 54,000 / 6,000 / 10,000.

    Args:
        root: folder of the files, by default the variable GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.
        size: height and width that images are resized to, by default their own.

    Raises:
        ConfigError: they are not there, or could not be fetched.
    """
    return _task("mnist", "MNIST", (1, 28, 28), 10, MNIST_CONFIG, root, download, size)


@TASKS.register("fashion-mnist")
def fashion_mnist(root: str | Path | None = None, download: bool = False, size: int | None = None) -> Task:
    """Articles of clothing, 28×28: 54,000 / 6,000 / 10,000.

    Args:
        root: folder of the files, by default the variable GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.
        size: height and width that images are resized to, by default their own.

    Raises:
        ConfigError: the data are not there, or cannot be fetched.
    """
    return _task("fashion-mnist", "FashionMNIST", (1, 28, 28), 10, MNIST_CONFIG, root, download, size)


@TASKS.register("cifar10")
def cifar10(root: str | Path | None = None, download: bool = False, size: int | None = None) -> Task:
    """Small photographs, 32×32, ten classes: 45,000 / 5,000 / 10,000.

    Args:
        root: folder of the files, by default the variable GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.
        size: height and width that images are resized to, by default their own.

    Raises:
        ConfigError: the data are not there, or cannot be fetched.
    """
    return _task("cifar10", "CIFAR10", (3, 32, 32), 10, CIFAR_CONFIG, root, download, size)


@TASKS.register("cifar100")
def cifar100(root: str | Path | None = None, download: bool = False, size: int | None = None) -> Task:
    """Small photographs, 32×32, a hundred classes, 45,000 / 5,000 / 10,000.

    Args:
        root: folder of the files, by default the variable GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.
        size: height and width that images are resized to, by default their own.

    Raises:
        ConfigError: the data are not there, or cannot be fetched.
    """
    return _task("cifar100", "CIFAR100", (3, 32, 32), 100, CIFAR_CONFIG, root, download, size)


def _task(
    name: str,
    kind: str,
    shape: tuple[int, ...],
    classes: int,
    config: TrainConfig,
    root: str | Path | None,
    download: bool,
    size: int | None,
) -> Task:
    folder = dataset_root(root)
    if size is not None and size < 1:
        raise ConfigError(f"Task {shown(name)}: expected a positive size, got {size}.")
    if download:
        _fetch(name, kind, folder)
    elif not _looks_complete(kind, folder):
        raise missing(name, folder)
    size = None if size in shape[1:] else size
    spec = TaskSpec("image", shape if size is None else (shape[0], size, size), classes)
    split = SPLIT if size is None else f"{SPLIT}, size {size}"
    return Task(name, spec, partial(_load, name, kind, folder, size), split, config)


def _dataset_class(kind: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, kind)


def _fetch(name: str, kind: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for train in (True, False):
            _dataset_class(kind)(folder, train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise not_fetched(name, folder, error) from error


def _looks_complete(kind: str, folder: Path) -> bool:
    """Whether the files are there, without reading them."""
    cls = _dataset_class(kind)
    if hasattr(cls, "base_folder"):
        files = [folder / cls.base_folder / file for file, _ in (*cls.train_list, *cls.test_list)]
    else:
        files = [folder / kind / "raw" / file.removesuffix(".gz") for file, _ in cls.resources]
    return all(file.is_file() for file in files)


@cache
def _load(name: str, kind: str, folder: Path, size: int | None = None) -> ImageData:
    try:
        train, test = (_dataset_class(kind)(folder, train=train) for train in (True, False))
    except (OSError, RuntimeError) as error:
        raise missing(name, folder) from error
    (x, y), (x_test, y_test) = _tensors(train), _tensors(test)
    keep, held = stratified_split(y, (0.9, 0.1), seed=0)
    images: dict[Part, Tensor] = {"train": x[keep], "validation": x[held], "test": x_test}
    if size is not None:
        images = {part: resize(t, (size, size)) for part, t in images.items()}
    return ImageData.of(images, {"train": y[keep], "validation": y[held], "test": y_test})


def _tensors(dataset: Any) -> tuple[Tensor, Tensor]:
    """Images ``(n, c, h, w)`` as bytes, and labels ``(n,)``."""
    images = torch.as_tensor(dataset.data)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return images, torch.as_tensor(dataset.targets).long()
