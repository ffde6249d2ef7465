"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["draft", "write_atomically"]


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A place beside ``path`` to write to, which takes its name when the block ends.

    A reader, or a later run, finds the former file or the new one, never half of one. Where the block raises, the
    draft is removed and ``path`` left as it was. The folder is made if it is missing.

    Raises:
        OSError: the folder or the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with draft(Path(folder) / "a" / "b.txt") as place:
        ...         _ = place.write_text("whole")
        ...     (Path(folder) / "a" / "b.txt").read_text()
        'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays last: writers choose formats by it.
    place = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield place
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def write_atomically(path: Path, content: str) -> None:
    """Write a text file, UTF-8, so that nobody ever finds half of it.

    Raises:
        OSError: it cannot be written.
    """
    with draft(path) as place:
        place.write_text(content, encoding="utf-8")
