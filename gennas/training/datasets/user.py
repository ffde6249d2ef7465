"""Checks and conversions of data that a user brings."""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.training.data import NodeData

Labelled: TypeAlias = tuple[Tensor, Tensor]


def check_images(name: str, part: str, x: Tensor, y: Tensor, classes: int) -> None:
    """Refuse what are no labelled images.

    Raises:
        ConfigError: a wrong shape, no examples, or labels out of range.
    """
    where = f"Task {name!r}, {part}:"
    if x.ndim != 4 or y.shape != x.shape[:1] or not len(x):
        raise ConfigError(
            f"{where} expected images (n, c, h, w) and labels (n,), got {tuple(x.shape)} and {tuple(y.shape)}."
        )
    if x.is_floating_point() and not x.isfinite().all():
        raise ConfigError(f"{where} images hold NaN or infinite values.")
    check_labels(where, y, classes)


def check_labels(where: str, y: Tensor, classes: int) -> None:
    """Refuse labels that are not in ``0 … classes - 1``.

    Raises:
        ConfigError: they are not.
    """
    if y.is_floating_point() or int(y.min()) < 0 or int(y.max()) >= classes:
        raise ConfigError(
            f"{where} expected whole labels from 0 to {classes - 1}, got {y.min()} to {y.max()} ({y.dtype})."
        )


def check_graph(name: str, data: NodeData) -> None:
    """Refuse what is no graph with features and labels.

    Raises:
        ConfigError: shapes or vertex numbers do not fit.
    """
    n = len(data.x)
    if data.x.ndim != 2 or data.y.shape != (n,) or data.edge_index.ndim != 2 or len(data.edge_index) != 2:
        raise ConfigError(
            f"Task {name!r}: expected x (n, f), edge_index (2, e) and y (n,), got {tuple(data.x.shape)}, "
            f"{tuple(data.edge_index.shape)} and {tuple(data.y.shape)}."
        )
    nodes = torch.cat(list(data.nodes.values()))
    for what, index in (("edge_index", data.edge_index), ("train, validation and test", nodes)):
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < n:
            raise ConfigError(f"Task {name!r}: {what} names nodes outside 0 to {n - 1}.")
    if len(torch.unique(nodes)) != len(nodes) or not all(map(len, data.nodes.values())):
        raise ConfigError(f"Task {name!r}: train, validation and test must be non-empty and share no node.")


def stack(name: str, part: str, dataset: Any) -> Labelled:
    """All examples of a dataset as two tensors.

    Raises:
        ConfigError: they are no pairs of image and label of one shape.
    """
    try:
        pairs = [dataset[i] for i in range(len(dataset))]
        return torch.stack([torch.as_tensor(x) for x, _ in pairs]), torch.tensor([int(y) for _, y in pairs])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"Task {name!r}, {part}: expected a dataset of (tensor, int) with tensors of one shape ({error}); "
            "images need a transform such as torchvision's ToTensor."
        ) from error


def digest(*tensors: Tensor) -> str:
    """Twelve hexadecimal digits that tell data apart."""
    state = hashlib.blake2b(digest_size=6)
    for tensor in tensors:
        state.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        state.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()
