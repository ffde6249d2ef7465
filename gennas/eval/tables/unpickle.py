"""Reading other people's pickles of numbers without running any of their code."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from gennas.errors import TableError, reason_of, shown
from gennas.runtime.reading import bounded_memory

__all__ = ["MAX_BYTES", "NUMBERS", "StandIn", "load_numbers", "load_restricted", "plain_dtype"]

MAX_BYTES = 256 * 1024 * 1024
_SCALAR_TYPES = frozenset("fiub")


class StandIn:
    """Stands in for a name of a pickle: a function of ours that the pickle may call, and can do nothing else with."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *args: Any) -> Any:
        """What the name means here."""
        return self._function(*args)  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("a pickle may not change what it calls")

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a pickle may not change what it calls")


class _NumberType:
    """Stands in for ``numpy.dtype`` in a pickle: holds plain numeric types and nothing else."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        dtype = np.dtype(code) if isinstance(code, str) and len(code) <= 3 else None
        if dtype is None or dtype.kind not in _SCALAR_TYPES:
            raise pickle.UnpicklingError(f"expected the type of a plain number, got {shown(code)}")
        self.dtype = dtype

    def __setstate__(self, state: Any) -> None:
        byte_order = state[1]
        if byte_order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"expected a byte order, got {shown(byte_order)}")
        self.dtype = self.dtype.newbyteorder(byte_order)


def plain_dtype(kind: Any) -> np.dtype[Any]:
    """The numpy type that a stand-in holds.

    Raises:
        pickle.UnpicklingError: it is no such stand-in.
    """
    if not isinstance(kind, _NumberType):
        raise pickle.UnpicklingError("expected the type of a plain number")
    return kind.dtype


def _number(kind: Any, content: Any) -> float | int | bool:
    """Stands in for ``numpy.core.multiarray.scalar``: one number from its bytes."""
    if not isinstance(kind, _NumberType) or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise pickle.UnpicklingError("expected the bytes of one number")
    value: float | int | bool = np.frombuffer(content, kind.dtype)[0].item()
    return value


NUMBERS: Mapping[tuple[str, str], StandIn] = {
    ("numpy", "dtype"): StandIn(_NumberType),
    ("numpy.core.multiarray", "scalar"): StandIn(_number),
    ("numpy._core.multiarray", "scalar"): StandIn(_number),
}


class _Restricted(pickle.Unpickler):
    def __init__(
        self,
        file: IO[bytes],
        admitted: Mapping[tuple[str, str], StandIn],
        persistent: Callable[[Any], Any] | None,
        advice: str,
    ) -> None:
        super().__init__(file)
        self._admitted, self._persistent, self._advice = admitted, persistent, advice

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._admitted:
            raise TableError(
                f"Refused to load {shown(f'{module}.{name}')[1:-1]} from a pickle: expected numbers in dicts, lists "
                f"and tuples only. The file is damaged or was tampered with; {self._advice}."
            )
        return self._admitted[module, name]

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:
            raise TableError(f"Refused a persistent reference ({shown(str(pid)[:40])}) in a pickle of numbers.")
        return self._persistent(pid)


def load_restricted(
    file: IO[bytes],
    size: int,
    admitted: Mapping[tuple[str, str], StandIn] = NUMBERS,
    persistent: Callable[[Any], Any] | None = None,
    advice: str = "download it again",
) -> Any:
    """Read one pickle that may call nothing but stand-ins.

    Where the system lets a process bound its own memory (Linux does), the objects may take 16 times the bytes of
    the pickle and half a GiB, so that a few bytes cannot ask for all there is.

    Args:
        file: opened for reading bytes.
        size: how many bytes the pickle has at most.
        admitted: what stands in for each module and name.
        persistent: what stands for a persistent reference; by default such are refused.
        advice: what the person may do about a file that is damaged.

    Raises:
        TableError: damaged, too big for its size, or it asks for another name.
    """
    try:
        with bounded_memory(size):
            return _Restricted(file, admitted, persistent, advice).load()
    except TableError:
        raise
    except MemoryError as error:
        raise TableError(f"its objects need more memory than {size:,} bytes of a sound file do; {advice}.") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise TableError(f"damaged ({type(error).__name__}: {reason_of(error)}); {advice}.") from error


def load_numbers(path: Path) -> Any:
    """Read a pickle (protocol 3 or later) that holds nothing but containers, strings and (numpy) numbers.

    The names ``numpy.dtype`` and ``numpy.core.multiarray.scalar`` are replaced by functions of this
    module, so that not even numpy's own constructors can be called by the file.

    Raises:
        TableError: the file is missing, too large, damaged, or asks for any other name.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TableError(f"{path}: expected at most {MAX_BYTES:,} bytes, got {size:,}.")
        return load_restricted(io.BytesIO(path.read_bytes()), size, advice="install the package again")
    except TableError as error:
        raise TableError(f"{path.name}: {error}") from error
    except OSError as error:
        raise TableError(f"Cannot read {path}: {error.strerror}.") from error
