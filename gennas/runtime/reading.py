"""Files from outside, read whole and no larger than allowed: a few bytes may stand for many."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import GennasError, reason_of, shown

__all__ = ["GIB", "MAX_RATIO", "MIB", "bounded_memory", "read_arrays", "read_bounded", "read_json_bounded", "too_large"]

MIB = 2**20
GIB = 2**30
MAX_RATIO = 200
"""How many times its size a compressed file may hold; repetition alone compresses further (beyond :data:`_FREE`)."""
_FREE = 16 * MIB


def read_bounded(
    path: Path,
    max_bytes: int,
    error: type[GennasError],
    max_ratio: int | None = MAX_RATIO,
    advice: str = "raise --max-gb",
    what: str = "the file",
) -> bytes:
    """The content of a file, decompressed where it is gzip or bzip2, if it is no more than allowed.

    No more than that is ever held: reading stops one byte beyond.

    Args:
        path: the file.
        max_bytes: most bytes, after decompression.
        error: what is raised.
        max_ratio: most bytes for each byte of a compressed file, above 16 MiB; None: any.
        advice: what a person may do who trusts a file that is too large.
        what: the file's role, for messages.

    Raises:
        GennasError: of the class ``error``: the file cannot be read, is damaged, or holds more.
    """
    magic = b""
    try:
        with path.open("rb") as plain:
            magic, size = plain.read(3), path.stat().st_size
            plain.seek(0)
            file: IO[bytes] | gzip.GzipFile = plain
            limit = max_bytes
            if magic == b"BZh" or magic[:2] == b"\x1f\x8b" or path.suffix.lower() == ".gz":
                file = bz2.BZ2File(plain) if magic == b"BZh" else gzip.GzipFile(fileobj=plain)
                limit = max_bytes if max_ratio is None else min(max_bytes, max(_FREE, max_ratio * size))
            content = _read(file, limit)
    except (EOFError, ValueError, zlib.error, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            reason = problem.strerror or problem
            raise error(f"Cannot read {what} {shown(str(path), 300)[1:-1]}: {reason}.") from problem
        packing = "bzip2" if magic == b"BZh" else "gzip"
        raise error(
            f"{path.name}: damaged, not a readable {packing} file ({problem}); download or pack it again."
        ) from problem
    if len(content) <= limit:
        return content
    if limit < max_bytes:
        raise error(
            f"{path.name}: holds more than {max_ratio} times its size of {size:,} bytes, which is nothing but "
            "repetition; if you trust it, unpack it first."
        )
    raise too_large(path, max_bytes, error, advice)


def _read(file: IO[bytes] | gzip.GzipFile, limit: int) -> bytes:
    """At most one byte more than the limit, piece by piece."""
    found = io.BytesIO()
    while found.tell() <= limit and (piece := file.read(min(MIB, limit + 1 - found.tell()))):
        found.write(piece)
    return found.getvalue()


def too_large(path: Path, max_bytes: int, error: type[GennasError], advice: str = "raise --max-gb") -> GennasError:
    """The complaint about a file that holds more than allowed."""
    allowed = f"{max_bytes / GIB:.3g} GiB" if max_bytes >= GIB / 10 else f"{max_bytes / MIB:.3g} MiB"
    return error(f"{path.name}: holds more than {allowed}; if you trust it and have the memory, {advice}.")


def read_json_bounded(path: Path, max_bytes: int, error: type[GennasError], what: str, advice: str) -> Any:
    """The content of a small JSON file of gennas' own.

    Args:
        path: the file.
        max_bytes: most bytes.
        error: what is raised.
        what: what the file should hold, for messages.
        advice: what a person may do about a file that holds something else.

    Raises:
        GennasError: of the class ``error``: it cannot be read, is no JSON, or larger.
    """
    content = read_bounded(path, max_bytes, error, advice=advice, what=what)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}: expected {what}, got what is no JSON ({shown(str(problem))}); {advice}.") from problem


def read_arrays(path: Path, max_bytes: int, error: type[GennasError], what: str) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file of plain numbers and texts.

    Args:
        path: the file.
        max_bytes: most bytes of all of them, decompressed.
        error: what is raised.
        what: what the file should hold, for messages.

    Raises:
        GennasError: of the class ``error``: it cannot be read, is damaged, holds objects, or more.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > max_bytes:
                raise too_large(path, max_bytes, error, "write it again")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except GennasError:
        raise
    except Exception as problem:  # zipfile, zlib, ast and numpy have no common root of errors
        raise error(f"Expected {what} in {path}, got: {type(problem).__name__}: {reason_of(problem)}.") from problem


@contextlib.contextmanager
def bounded_memory(size: int, at_least: int = GIB // 2) -> Iterator[None]:
    """Let this process take 16 times ``size`` bytes and ``at_least`` more, and no others, where it can be told so.

    Beyond that Python raises :class:`MemoryError`, and PyTorch :class:`RuntimeError`.
    """
    more = at_least + 16 * size
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        bounds = [bound for bound in (used + more, soft, hard) if bound != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    except (ImportError, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
