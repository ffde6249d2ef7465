"""Pickles and torch's ``.pth`` files of numbers, read without torch and without running any code in them.

Three packings: a plain pickle; torch's zip archive (since 1.6), whose member ``data.pkl`` refers to the members
``data/KEY`` that hold the tensors' raw numbers; and torch's older sequence of five pickles (a magic number, the
protocol 1001, the writer's system, the object, the keys of the tensors' storages), followed by each storage as its
count (8 bytes) and its numbers. A tensor is a storage, an offset, a shape and strides.
Source: "Serialization semantics" in PyTorch's documentation, and files written by it.
"""

from __future__ import annotations

import codecs
import io
import math
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import TableError, reason_of
from gennas.eval.tables.formats.base import Source, read_bounded, too_large
from gennas.eval.tables.unpickle import NUMBERS, StandIn, load_restricted, plain_dtype

__all__ = ["Tensor", "is_torch_sequence", "load_pickle"]

_MAGIC = 0x1950A86A20F9469CFC6C
_MAGIC_BYTES = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_STORAGES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "LongStorage": "i8", "IntStorage": "i4",
    "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "b1",
}  # fmt: skip


class _Storage:
    """The numbers of one or several tensors; those of the older packing come after the tensors."""

    __slots__ = ("dtype", "numbers", "size")

    def __init__(self, dtype: np.dtype[Any], size: int) -> None:
        self.dtype, self.size = dtype, size
        self.numbers: NDArray[Any] = np.zeros(0, dtype)


class Tensor:
    """A tensor of a file: reads its numbers from a storage when they are asked for."""

    __slots__ = ("_offset", "_shape", "_storage", "_strides")

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> None:
        whole = all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides))
        if not isinstance(storage, _Storage) or not whole or len(shape) != len(strides):
            raise pickle.UnpicklingError("expected a tensor's storage, offset, shape and strides")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if math.prod(shape) > max(storage.size, 1) or (math.prod(shape) and last >= storage.size):
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        self._storage, self._offset, self._shape, self._strides = storage, offset, tuple(shape), tuple(strides)

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self._shape)

    def item(self) -> Any:
        """The only number."""
        return self.numpy().reshape(()).item()

    def tolist(self) -> Any:
        """Nested lists of numbers."""
        return self.numpy().tolist()

    def numpy(self) -> NDArray[Any]:
        """The numbers as an array."""
        numbers = self._storage.numbers
        if not self.size:
            return np.zeros(self._shape, self._storage.dtype)
        index = np.full(self._shape, self._offset)
        for axis, (n, step) in enumerate(zip(self._shape, self._strides, strict=True)):
            index += np.arange(n).reshape([-1 if a == axis else 1 for a in range(len(self._shape))]) * step
        found: NDArray[Any] = numbers[index]
        return found


class _Array:
    """Stands in for ``numpy.ndarray`` while a pickle says what it holds."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: NDArray[Any] = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        dtype = plain_dtype(kind)
        whole = min(shape, default=0) >= 0 and isinstance(content, bytes)
        if not whole or math.prod(shape) * dtype.itemsize != len(content):
            raise pickle.UnpicklingError("expected the bytes of an array of numbers")
        self._numbers = np.frombuffer(content, dtype).reshape(tuple(shape), order="F" if fortran else "C")

    @property
    def size(self) -> int:
        return self._numbers.size

    def item(self) -> Any:
        return self._numbers.item()

    def tolist(self) -> Any:
        return self._numbers.tolist()


def _bytes_of(text: Any, encoding: Any) -> bytes:
    """Stands in for ``_codecs.encode``: how old pickles write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("expected a text in latin1")
    return codecs.encode(text, "latin1")


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    """Stands in for numpy's ``_frombuffer``: an array whose bytes stand in the pickle."""
    made = _Array()
    made.__setstate__((1, shape, kind, order == "F", bytes(content)))
    return made


def _no_kind(*_: Any) -> Any:
    raise pickle.UnpicklingError("a storage's class may not be called")


_KINDS = {name: StandIn(_no_kind) for name in _STORAGES}
_KIND_OF = {id(_KINDS[name]): np.dtype(f"<{code}") for name, code in _STORAGES.items()}
_ADMITTED: Mapping[tuple[str, str], StandIn] = {
    **NUMBERS,
    ("collections", "OrderedDict"): StandIn(lambda: {}),
    ("collections", "defaultdict"): StandIn(lambda *_: {}),
    ("builtins", "set"): StandIn(lambda items: set(items)),
    ("__builtin__", "set"): StandIn(lambda items: set(items)),
    ("_codecs", "encode"): StandIn(_bytes_of),
    ("numpy", "ndarray"): StandIn(_no_kind),
    **{(f"{m}.multiarray", "_reconstruct"): StandIn(lambda *_: _Array()) for m in ("numpy.core", "numpy._core")},
    **{(f"{m}.numeric", "_frombuffer"): StandIn(_from_buffer) for m in ("numpy.core", "numpy._core")},
    ("torch._utils", "_rebuild_tensor"): StandIn(Tensor),
    ("torch._utils", "_rebuild_tensor_v2"): StandIn(Tensor),
    ("torch._utils", "_rebuild_parameter"): StandIn(lambda tensor, *_: tensor),
    **{("torch", name): kind for name, kind in _KINDS.items()},
}


def is_torch_sequence(head: bytes) -> bool:
    """Whether a file that starts so is of torch's older packing."""
    return head.startswith(_MAGIC_BYTES)


def load_pickle(source: Source, path: Path) -> Any:
    """The object of a pickle or ``.pth`` file, bzip2 or gzip around it or not; tensors are :class:`Tensor`.

    Raises:
        TableError: it cannot be read, is damaged, holds more than allowed, or anything but numbers, texts and
            containers.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
            file.seek(0)
            if is_torch_sequence(head):
                size = path.stat().st_size
                if size > source.max_bytes:
                    raise too_large(path, source.max_bytes)
                return _sequence(file, size)
        content = read_bounded(source, path)
        if content.startswith(b"PK"):
            return _archive(content, path, source.max_bytes)
        if is_torch_sequence(content):
            return _sequence(io.BytesIO(content), len(content))
        return load_restricted(io.BytesIO(content), len(content), _ADMITTED)
    except TableError as error:
        raise error if str(error).startswith(path.name) else TableError(f"{path.name}: {error}") from error
    except OSError as error:
        raise TableError(f"Cannot read {path}: {error.strerror or error}.") from error


def _storage(pid: Any, storages: dict[str, _Storage]) -> _Storage:
    """What a persistent reference of torch stands for."""
    mark, kind, key, *rest = pid if isinstance(pid, tuple) and len(pid) >= 5 else (None, None, None)
    if mark != "storage" or id(kind) not in _KIND_OF or not isinstance(key, str) or not isinstance(rest[1], int):
        raise TableError("Refused a persistent reference that is no tensor's storage.")
    if len(rest) > 2 and rest[2] is not None:
        raise TableError("Refused a tensor's storage that is a view of another.")
    return storages.setdefault(key, _Storage(_KIND_OF[id(kind)], rest[1]))


def _sequence(file: IO[bytes], size: int) -> Any:
    """The older packing: five pickles, then the storages."""
    storages: dict[str, _Storage] = {}
    magic, protocol, system = (load_restricted(file, 1024, {}) for _ in range(3))
    if magic != _MAGIC or protocol != 1001 or not isinstance(system, dict) or not system.get("little_endian", True):
        raise TableError("expected a torch file of protocol 1001, little endian; write it again with a newer torch.")
    found = load_restricted(file, size, _ADMITTED, lambda pid: _storage(pid, storages))
    keys = load_restricted(file, size, {})
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise TableError("the list of storages disagrees with the tensors; download it again.")
    for key in keys:
        storage = storages[key]
        head = file.read(8)
        if len(head) < 8 or struct.unpack("<q", head)[0] != storage.size:
            raise TableError("the file ends within its tensors; download it again.")
        _fill(storage, file.read(min(storage.size * storage.dtype.itemsize, size)))
    return found


def _archive(content: bytes, path: Path, limit: int) -> Any:
    """The zip packing."""
    storages: dict[str, _Storage] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
            if "data.pkl" not in members:
                raise TableError("a zip archive without data.pkl is no torch file; unpack it, or download it again.")
            if sum(info.file_size for info in members.values()) > limit:
                raise too_large(path, limit)
            order = archive.read(members["byteorder"]) if "byteorder" in members else b"little"
            if order != b"little":
                raise TableError("expected a torch file that is little endian; write it again.")
            data = archive.read(members["data.pkl"])
            found = load_restricted(io.BytesIO(data), len(data), _ADMITTED, lambda pid: _storage(pid, storages))
            for key, storage in storages.items():
                _fill(storage, archive.read(members[f"data/{key}"]))
    except TableError:
        raise
    except (zipfile.BadZipFile, zlib.error, RuntimeError, KeyError, EOFError, ValueError, OSError) as error:
        raise TableError(f"damaged ({reason_of(error)}); download it again.") from error
    return found


def _fill(storage: _Storage, content: Sequence[int] | bytes) -> None:
    if len(content) != storage.size * storage.dtype.itemsize:
        raise TableError("the file ends within its tensors; download it again.")
    storage.numbers = np.frombuffer(bytes(content), storage.dtype)
