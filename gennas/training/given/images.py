"""Images, masks and pairs as tensors, numpy arrays or lists."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import UNLABELLED, ImageData, PairData, Part, SegmentationData
from gennas.training.datasets.user import (
    as_images,
    as_tensor,
    check_images,
    check_labels,
    count_classes,
    digest,
)
from gennas.training.given.base import Given, held_out, in_parts, kept_and_held, numbers
from gennas.training.kinds import Targets

__all__ = ["read_images", "read_masks", "read_pairs"]

Arrays = dict[Part, tuple[Tensor, ...]]


def read_images(
    name: str,
    train: Any,
    validation: Any,
    test: Any,
    num_outputs: int | None,
    validation_fraction: float,
    channels_last: bool | None,
    targets: Targets,
) -> Given:
    """Images ``(n, c, h, w)`` with one class, or with numbers, each; see ``Task.from_tensors``."""

    def read(where: str, pair: Any) -> tuple[Tensor, Tensor]:
        x, y = _tuple(where, pair, ("images", "labels"))
        y = as_tensor(f"{where} labels:", y)
        return as_images(where, x, channels_last), y.long() if y.dtype == torch.bool else y

    parts = in_parts(f"Task {shown(name)}", train, validation, test, read)
    if targets == "numbers":
        return _with_numbers(name, parts, validation_fraction)
    classes = count_classes(name, parts["train"][1]) if num_outputs is None else num_outputs
    split = held_out(parts, validation_fraction)
    if split != "given":
        check_images(name, "train", *parts["train"], classes)
        parts = _with_validation(parts, validation_fraction)
    for part, (x, y) in parts.items():
        check_images(name, part, x, y, classes)
        _check_shape(name, part, "images", x, parts["train"][0])
    data = ImageData.of({p: x for p, (x, _) in parts.items()}, {p: y.long() for p, (_, y) in parts.items()})
    return Given(TaskSpec("image", data.input_shape, classes), data, _identity(split, parts))


def _with_numbers(name: str, parts: Any, fraction: float) -> Given:
    split = held_out(parts, fraction)
    for part, (x, y) in parts.items():
        if x.ndim != 4 or not len(x) or y.shape[:1] != x.shape[:1] or y.ndim > 2:
            raise ConfigError(
                f"Task {shown(name)}, {part}: expected images (n, c, h, w) and targets (n,) or (n, k), got "
                f"{tuple(x.shape)} and {tuple(y.shape)}."
            )
        check_images(name, part, x, torch.zeros(len(x), dtype=torch.long), 1)
        _check_shape(name, part, "images", x, parts["train"][0])
    if split != "given":
        parts = _with_validation({p: (x, y.double()) for p, (x, y) in parts.items()}, fraction)
    y = numbers(f"Task {shown(name)}", {p: y for p, (_, y) in parts.items()})
    data = ImageData.of({p: x for p, (x, _) in parts.items()}, y)
    spec = TaskSpec("image", data.input_shape, y["train"].shape[1])
    return Given(spec, data, _identity(split.replace("stratified", "random"), parts), "numbers")


def read_masks(
    name: str,
    train: Any,
    validation: Any,
    test: Any,
    num_outputs: int | None,
    validation_fraction: float,
    channels_last: bool | None,
) -> Given:
    """Images ``(n, c, h, w)`` with a class for each pixel; see ``Task.from_masks``."""

    def read(where: str, pair: Any) -> tuple[Tensor, Tensor]:
        x, y = _tuple(where, pair, ("images", "masks"))
        x, y = as_images(where, x, channels_last), as_tensor(f"{where} masks:", y)
        if x.ndim != 4 or not len(x) or y.shape != (len(x), *x.shape[2:]):
            raise ConfigError(
                f"{where} expected images (n, c, h, w) and masks (n, h, w), got {tuple(x.shape)} and {tuple(y.shape)}."
            )
        check_images(name, where, x, torch.zeros(len(x), dtype=torch.long), 1)
        empty = (y == UNLABELLED).flatten(1).all(1)
        if empty.any():
            raise ConfigError(f"{where} mask {int(empty.nonzero()[0])} has no labelled pixel, all are {UNLABELLED}.")
        return x, y

    parts = in_parts(f"Task {shown(name)}", train, validation, test, read)
    counted = parts["train"][1][parts["train"][1] != UNLABELLED]
    classes = count_classes(name, counted) if num_outputs is None else num_outputs
    for part, (x, y) in parts.items():
        check_labels(f"Task {shown(name)}, {part}:", y[y != UNLABELLED], min(classes, UNLABELLED))
        _check_shape(name, part, "images", x, parts["train"][0])
    split = held_out(parts, validation_fraction).replace("stratified", "random")
    if split != "given":
        parts = _with_validation(parts, validation_fraction)
    bytes_of = {p: y.to(torch.uint8) for p, (_, y) in parts.items()}
    data = SegmentationData.of({p: x for p, (x, _) in parts.items()}, bytes_of)
    return Given(TaskSpec("segmentation", data.input_shape, classes), data, _identity(split, parts))


def read_pairs(
    name: str, train: Any, validation: Any, test: Any, num_outputs: int | None, validation_fraction: float
) -> Given:
    """Two inputs and one class per example; see ``Task.from_pairs``."""

    def read(where: str, triple: Any) -> tuple[Tensor, ...]:
        first, second, y = (
            as_tensor(f"{where} {what}:", t) for what, t in zip(_PAIR, _tuple(where, triple, _PAIR), strict=True)
        )
        y = y.long() if y.dtype == torch.bool else y
        if not len(y) or y.ndim != 1 or not len(first) == len(second) == len(y) or min(first.ndim, second.ndim) < 2:
            raise ConfigError(
                f"{where} expected inputs (n, ...) and (n, ...) and labels (n,), got {tuple(first.shape)}, "
                f"{tuple(second.shape)} and {tuple(y.shape)}."
            )
        for x in (first, second):
            if x.is_floating_point() and not x.isfinite().all():
                raise ConfigError(f"{where} inputs hold NaN or infinite values.")
        return first, second, y

    parts = in_parts(f"Task {shown(name)}", train, validation, test, read)
    classes = count_classes(name, parts["train"][2]) if num_outputs is None else num_outputs
    for part, given in parts.items():
        check_labels(f"Task {shown(name)}, {part}:", given[2], classes)
        for what, x, expected in zip(_PAIR, given[:2], parts["train"], strict=False):
            _check_shape(name, part, f"{what}s", x, expected)
    split = held_out(parts, validation_fraction)
    if split != "given":
        parts = _with_validation(parts, validation_fraction)
    first, second, y = ({p: t[i] for p, t in parts.items()} for i in range(3))
    data = PairData.of(first, second, {p: t.long() for p, t in y.items()})
    spec = TaskSpec("pair", data.input_shape, classes, second_shape=data.second_shape)
    return Given(spec, data, _identity(split, parts))


_PAIR = ("first input", "second input", "label")


def _tuple(where: str, value: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(value, (tuple, list)) or len(value) != len(names):
        kind = "pair" if len(names) == 2 else "triple"
        raise ConfigError(f"{where} expected a {kind} of {' and '.join(names)}, got {type(value).__name__}.")
    return value


def _with_validation(parts: Any, fraction: float) -> Any:
    """The parts with a share of the training examples as validation part, in the order of the parts."""
    keep, held = kept_and_held(parts["train"][-1], fraction)
    kept, validation = (tuple(t[i] for t in parts["train"]) for i in (keep, held))
    return {"train": kept, "validation": validation, "test": parts["test"]}


def _check_shape(name: str, part: str, what: str, x: Tensor, expected: Tensor) -> None:
    if x.shape[1:] != expected.shape[1:]:
        raise ConfigError(
            f"Task {shown(name)}: {part} {what} are {tuple(x.shape[1:])}, expected {tuple(expected.shape[1:])}."
        )


def _identity(split: str, parts: Any) -> str:
    return f"{split}, data {digest(*(t for given in parts.values() for t in given))}"
