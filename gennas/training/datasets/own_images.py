"""A user's images: a folder of files by class, or an .npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gennas.errors import ConfigError
from gennas.training.data import PARTS, Part, stratified_split
from gennas.training.kinds import Targets
from gennas.training.task import TASKS, Task

__all__ = ["image_folder", "npz"]

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


@TASKS.register("image-folder")
def image_folder(path: str, size: int = 32, grey: bool = False) -> Task:
    """Classify a user's images, one folder per class; 60 % are learnt, 20 % selected on, 20 % reported, stratified.

    Folders ``train``, ``test`` and perhaps ``validation`` (or ``val``), each with a folder per class, are taken as they
    are.

    Args:
        path: the folder.
        size: height and width that images are resized to.
        grey: one channel instead of three.

    Raises:
        ConfigError: no such folder, a file that is no image, or a class of fewer than three images.
    """
    root = Path(path).expanduser()
    if not root.is_dir() or size < 1:
        raise ConfigError(f"Expected a folder of images by class and a positive size, got {root} and {size}.")
    folders = {part: root / part for part in PARTS if (root / part).is_dir()}
    if (root / "val").is_dir():
        folders["validation"] = root / "val"
    given = {"train", "test"} <= folders.keys()
    classes = sorted(p.name for p in (folders["train"] if given else root).iterdir() if p.is_dir())
    if not classes:
        raise ConfigError(f"{root}: expected a folder per class with images in it, found no folder.")
    name = f"image-folder:{root.name}"
    if given:
        parts: dict[str, Any] = {part: _read(folder, classes, size, grey) for part, folder in folders.items()}
        return Task.from_tensors(name, **parts, num_outputs=len(classes))
    x, y = _read(root, classes, size, grey)
    fewest = int(torch.bincount(y, minlength=len(classes)).min())
    if fewest < 3:
        raise ConfigError(f"{root}: expected at least three images of each class, one has {fewest}.")
    index = dict(zip(PARTS, stratified_split(y, (0.6, 0.2, 0.2), seed=0), strict=True))
    return Task.from_tensors(name, **_parts(index, x, y))


@TASKS.register("npz")
def npz(path: str, targets: Targets = "classes", channels_last: bool | None = None) -> Task:
    """Images of an .npz file with arrays ``x_train``, ``y_train``, ``x_test``, ``y_test``, as Keras keeps MNIST.

    Arrays ``x_val`` and ``y_val`` are selected on, else a fifth of the training images. Arrays ``x`` and ``y``
    alone are split 60/20/20, stratified where they are classes. Grey images may lack their dimension of channels.

    Args:
        path: the file; pickled arrays are refused.
        targets: ``numbers`` for a regression.
        channels_last: images are ``(n, h, w, c)``.

    Raises:
        ConfigError: no such file or arrays, or images and labels that do not fit.
    """
    place = Path(path).expanduser()
    try:
        with np.load(place, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError) as error:
        raise ConfigError(f"Expected an .npz file of plain arrays, could not read {place}: {error}.") from error
    arrays = {k: a[:, None] if k.startswith("x") and a.ndim == 3 else a for k, a in arrays.items()}
    name = f"npz:{place.name}"
    options: dict[str, Any] = {"targets": targets, "channels_last": channels_last}
    if {"x", "y"} <= arrays.keys():
        y = torch.from_numpy(np.array(arrays["y"]))
        classes = y if targets == "classes" and y.ndim == 1 else torch.zeros(len(y), dtype=torch.long)
        index = dict(zip(PARTS, stratified_split(classes, (0.6, 0.2, 0.2), seed=0), strict=True))
        return Task.from_tensors(name, **_parts(index, arrays["x"], arrays["y"]), **options)
    keys = {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")}
    parts: dict[str, Any] = {p: (arrays[x], arrays[y]) for p, (x, y) in keys.items() if {x, y} <= arrays.keys()}
    if not {"train", "test"} <= parts.keys():
        raise ConfigError(
            f"{place}: expected arrays x_train, y_train, x_test and y_test, or x and y, "
            f"got {', '.join(arrays) or 'none'}."
        )
    return Task.from_tensors(name, **parts, **options)


def _parts(index: dict[Part, torch.Tensor], x: Any, y: Any) -> dict[str, Any]:
    return {part: (x[i], y[i]) for part, i in index.items()}


def _read(folder: Path, classes: list[str], size: int, grey: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images ``(n, c, size, size)`` as bytes and their classes."""
    from PIL import Image, UnidentifiedImageError

    images, labels = [], []
    for label, name in enumerate(classes):
        for file in sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in _ENDINGS):
            try:
                with Image.open(file) as image:
                    plain = image.convert("L" if grey else "RGB").resize((size, size), Image.Resampling.BILINEAR)
            except (OSError, UnidentifiedImageError) as error:
                raise ConfigError(f"Expected an image, could not read {file}: {error}.") from error
            images.append(np.asarray(plain).reshape(size, size, -1))
            labels.append(label)
    if not images:
        raise ConfigError(f"{folder}: expected images in {', '.join(classes)}, found none.")
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)
