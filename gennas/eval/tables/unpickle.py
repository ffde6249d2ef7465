"""Reading other people's pickles of numbers without running any of their code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from gennas.errors import TableError

__all__ = ["MAX_BYTES", "load_numbers"]

MAX_BYTES = 256 * 1024 * 1024
_SCALAR_TYPES = frozenset("fiub")


class _NumberType:
    """Stands in for ``numpy.dtype`` in a pickle: holds plain numeric types and nothing else."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        dtype = np.dtype(code) if isinstance(code, str) and len(code) <= 3 else None
        if dtype is None or dtype.kind not in _SCALAR_TYPES:
            raise pickle.UnpicklingError(f"expected the type of a plain number, got {code!r}")
        self.dtype = dtype

    def __setstate__(self, state: Any) -> None:
        byte_order = state[1]
        if byte_order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"expected a byte order, got {byte_order!r}")
        self.dtype = self.dtype.newbyteorder(byte_order)


def _number(kind: Any, content: Any) -> float | int | bool:
    """Stands in for ``numpy.core.multiarray.scalar``: one number from its bytes."""
    if not isinstance(kind, _NumberType) or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise pickle.UnpicklingError("expected the bytes of one number")
    value: float | int | bool = np.frombuffer(content, kind.dtype)[0].item()
    return value


_ADMITTED = {
    ("numpy", "dtype"): _NumberType,
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy._core.multiarray", "scalar"): _number,
}


class _NumbersOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise TableError(
                f"Refused to load {module}.{name} from a pickle: expected numbers in dicts, lists and tuples only. "
                "The file is damaged or was tampered with; install the package again."
            )
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise TableError(f"Refused a persistent reference ({str(pid)[:40]!r}) in a pickle of numbers.")


def load_numbers(path: Path) -> Any:
    """Read a pickle (protocol 3 or later) that holds nothing but containers, strings and (numpy) numbers.

    The names ``numpy.dtype`` and ``numpy.core.multiarray.scalar`` are replaced by functions of this
    module, so that not even numpy's own constructors can be called by the file.

    Raises:
        TableError: the file is missing, too large, damaged, or asks for any other name.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path}: expected at most {MAX_BYTES:,} bytes, got {path.stat().st_size:,}.")
        return _NumbersOnly(io.BytesIO(path.read_bytes())).load()
    except TableError as error:
        raise TableError(f"{path.name}: {error}") from error
    except OSError as error:
        raise TableError(f"Cannot read {path}: {error.strerror}.") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise TableError(
            f"{path.name}: damaged ({type(error).__name__}: {error}); install the package again."
        ) from error
