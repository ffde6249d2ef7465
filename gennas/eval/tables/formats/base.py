"""What readers of official benchmark files share: bounded reading, and the rows that they return."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gennas.errors import GennasError, TableError, shown
from gennas.runtime import reading
from gennas.runtime.reading import GIB, bounded_memory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GIB", "Cells", "Source", "number", "read_bounded", "read_json"]

Cells = Mapping[str, Sequence[Any] | NDArray[Any]]
"""Columns by name: texts, or numbers with None where there is none."""
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Source:
    """A file or folder to read, and how.

    Args:
        path: the file or folder.
        dataset: one of the datasets or tasks it holds; by default all, with the dataset's name before each column's.
        part: one of the search spaces it holds.
        seeds: whether each repeat has columns of its own, too.
        max_bytes: how much a file may hold after decompression.
        progress: is told how much is done, of how much if that is known.
    """

    path: Path
    dataset: str | None = None
    part: str | None = None
    seeds: bool = True
    max_bytes: int = 2 * GIB
    progress: Progress = field(default=lambda done, total: None)

    @property
    def name(self) -> str:
        """The name for messages."""
        return self.path.name

    def wants(self, dataset: str) -> bool:
        """Whether a dataset is asked for."""
        return self.dataset is None or dataset == self.dataset

    def prefix(self, dataset: str) -> str:
        """What stands before the names of a dataset's columns: nothing where only one is asked for."""
        return "" if self.dataset is not None else f"{column_name(dataset)}_"

    def check_dataset(self, known: Sequence[str]) -> None:
        """Refuse a dataset that the file does not hold.

        Raises:
            TableError: it does not.
        """
        if self.dataset is not None and self.dataset not in known:
            raise TableError(f"{self.name}: no dataset {shown(self.dataset)}; it holds {', '.join(map(str, known))}.")


@dataclass(frozen=True)
class Rows:
    """What a reader found.

    Args:
        cells: the columns, ``arch`` (the official text) and ``hash`` (the official name) among them.
        space: the name under which gennas has, or would have, the search space.
        left_out: what the file holds and the rows do not, a phrase each.
    """

    cells: Cells
    space: str
    left_out: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """The same as a DataFrame; numbers are floats, or integers where all are."""
        import pandas as pd

        return pd.DataFrame(dict(self.cells))


def column_name(text: str) -> str:
    """A name that objectives and formulas can hold: ``ImageNet16-120`` becomes ``imagenet16_120``."""
    return "".join(c if c.isalnum() else "_" for c in text.lower())


def number(value: Any) -> float | None:
    """A finite number as float, else None.

    Example:
        >>> number(3), number("3"), number(float("nan")), number(None), number(True)
        (3.0, None, None, None, None)
    """
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is there, or None where nothing is."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def read_bounded(source: Source, path: Path) -> bytes:
    """The content of a file, decompressed where it is bzip2 or gzip, and no more than allowed of it.

    Raises:
        TableError: it cannot be read, is damaged, or holds more.
    """
    return reading.read_bounded(path, source.max_bytes, TableError, max_ratio=None)


def too_large(path: Path, limit: int) -> GennasError:
    """The complaint about a file that holds more than allowed."""
    return reading.too_large(path, limit, TableError)


def read_json(source: Source, path: Path) -> Any:
    """The content of a JSON file, gzipped or not.

    Raises:
        TableError: it cannot be read, or is no JSON.
    """
    content = read_bounded(source, path)
    try:
        with bounded_memory(len(content)):
            return json.loads(content)
    except (ValueError, RecursionError, MemoryError) as error:
        raise TableError(f"{path.name}: not readable as JSON ({str(error)[:200]}).") from error
