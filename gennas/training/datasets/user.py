"""Checks and conversions of data that a user brings."""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.training.data import NodeData

Labelled: TypeAlias = tuple[Any, Any]
"""Examples and labels: tensors, numpy arrays or nested lists."""

_WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}
_FLOATS = (torch.float16, torch.float32, torch.float64)
_CHANNELS = (1, 3, 4)  # of grey and colour images, with or without transparency


def as_tensor(where: str, data: Any) -> Tensor:
    """A dense real tensor of what a user gives: tensors as they are, numpy arrays and lists copied.

    Types that PyTorch hardly computes with become the next larger one: uint16 is int32, bfloat16 is float32.

    Raises:
        ConfigError: no numbers, rows of different lengths, sparse, complex or too large.
    """
    if not isinstance(data, Tensor):
        try:
            array = np.asarray(data)
        except ValueError as error:
            raise ConfigError(f"{where} expected numbers in rows of one length ({error}).") from error
        if array.dtype.kind not in "biufc":
            raise ConfigError(f"{where} expected numbers, got an array of {array.dtype}.")
        try:
            data = torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
        except TypeError as error:
            raise ConfigError(f"{where} expected numbers that PyTorch holds, got {array.dtype}.") from error
    if data.layout != torch.strided:
        raise ConfigError(f"{where} expected a dense tensor, got {data.layout}; give x.to_dense().")
    if data.is_quantized:
        raise ConfigError(f"{where} expected plain numbers, got {data.dtype}; give x.dequantize().")
    if data.is_complex():
        raise ConfigError(f"{where} expected real numbers, got {data.dtype}; give x.abs() or torch.view_as_real(x).")
    tensor: Tensor = data.detach()
    if tensor.dtype in _WIDER:
        wider = tensor.to(_WIDER[tensor.dtype])
        if wider.numel() and int(wider.min()) < 0:
            raise ConfigError(f"{where} expected numbers below 2**63, got larger ones ({tensor.dtype}).")
        return wider
    return tensor.float() if tensor.is_floating_point() and tensor.dtype not in _FLOATS else tensor


def as_images(where: str, data: Any, channels_last: bool | None) -> Tensor:
    """Images ``(n, c, h, w)``.

    Args:
        where: for messages.
        data: what :func:`as_tensor` takes.
        channels_last: the images are ``(n, h, w, c)``; None: they are not, and what looks so is refused.

    Raises:
        ConfigError: not four dimensions, no pixels, or what looks like channels last.
    """
    x = as_tensor(f"{where} images:", data)
    if x.ndim == 3:
        raise ConfigError(f"{where} expected images (n, c, h, w), got {tuple(x.shape)}; grey images are x[:, None].")
    if x.ndim != 4:
        return x  # refused with its labels
    _, *channels_first, last = x.shape
    if channels_last is None and last in _CHANNELS and min(channels_first) > max(_CHANNELS):
        raise ConfigError(
            f"{where} expected images (n, c, h, w), got {tuple(x.shape)}, which looks like (n, h, w, c): say "
            "channels_last=True if it is, or channels_last=False."
        )
    x = x.permute(0, 3, 1, 2).contiguous() if channels_last else x
    if len(x) and not x.numel():
        raise ConfigError(f"{where} expected images with pixels, got {tuple(x.shape)}.")
    if x.dtype == torch.float64 and (x.isfinite() & ~x.float().isfinite()).any():
        raise ConfigError(f"{where} images hold values beyond float32.")
    return x


def count_classes(name: str, y: Tensor) -> int:
    """Number of classes of training labels, each of which has to occur.

    Raises:
        ConfigError: there are none, or a label between 0 and the largest does not occur.
    """
    if not len(y) or y.is_floating_point() or int(y.min()) < 0:
        return int(y.max()) + 1 if len(y) else 0  # refused with the images
    found = np.unique(y.cpu().numpy()).tolist()
    missing = next((label for label, there in enumerate(found) if label != there), None)
    if missing is not None:
        hint = "; subtract 1 from all labels" if found == list(range(1, len(found) + 1)) else ""
        raise ConfigError(
            f"Task {shown(name)}: expected training labels 0 to {int(y.max())}, but none is {missing}{hint}; or, if "
            f"such labels are meant, say num_outputs={int(y.max()) + 1} (or more)."
        )
    return int(y.max()) + 1


def check_images(name: str, part: str, x: Tensor, y: Tensor, classes: int) -> None:
    """Refuse what are no labelled images.

    Raises:
        ConfigError: a wrong shape, no examples, or labels out of range.
    """
    where = f"Task {shown(name)}, {part}:"
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
            f"{where} expected whole labels from 0 to {classes - 1}, got {y.min()} to {y.max()} ({y.dtype}). "
            "Give the number of classes as num_outputs."
        )


def check_graph(name: str, data: NodeData) -> None:
    """Refuse what is no graph with features and labels.

    Raises:
        ConfigError: shapes or vertex numbers do not fit.
    """
    n = len(data.x)
    if data.x.ndim != 2 or data.y.shape != (n,) or data.edge_index.ndim != 2 or len(data.edge_index) != 2:
        raise ConfigError(
            f"Task {shown(name)}: expected x (n, f), edge_index (2, e) and y (n,), got {tuple(data.x.shape)}, "
            f"{tuple(data.edge_index.shape)} and {tuple(data.y.shape)}."
        )
    if not data.x.isfinite().all():
        raise ConfigError(f"Task {shown(name)}: x holds NaN, infinite values, or values beyond float32.")
    nodes = torch.cat(list(data.nodes.values()))
    for what, index in (("edge_index", data.edge_index), ("train, validation and test", nodes)):
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < n:
            raise ConfigError(f"Task {shown(name)}: {what} names nodes outside 0 to {n - 1}.")
    if len(torch.unique(nodes)) != len(nodes) or not all(map(len, data.nodes.values())):
        raise ConfigError(f"Task {shown(name)}: train, validation and test must be non-empty and share no node.")


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
            f"Task {shown(name)}, {part}: expected a dataset of (tensor, int) with tensors of one shape ({error}); "
            "images need a transform such as torchvision's ToTensor."
        ) from error


def digest(*tensors: Tensor) -> str:
    """Twelve hexadecimal digits that tell data apart."""
    state = hashlib.blake2b(digest_size=6)
    for tensor in tensors:
        state.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        state.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()
