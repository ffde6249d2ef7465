"""Any table of the user's: a column of architectures in the space's text form, and metrics."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError, TableError, UnknownNameError, listed, shown
from gennas.eval.base import Direction, Metric
from gennas.eval.tables.base import Table
from gennas.eval.tables.files import MAX_GB, read_frame
from gennas.graph import Population
from gennas.runtime.reading import GIB, read_bounded
from gennas.spaces.base import Space

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Duplicates", "Wanted", "guess_direction", "read_columns", "read_rows", "read_table"]

Wanted = Sequence[str] | Callable[[Sequence[str]], Iterable[str]] | None
FloatArray = NDArray[np.float64]
Duplicates = Literal["mean", "first", "error"]
_OTHER = " Is it a table of another space?"
ARCH_COLUMNS = ("arch", "architecture", "arch_str", "text")
_LESS_IS_BETTER = re.compile(
    r"loss|error|err\b|latency|time|seconds|param|flops|macs|energy|cost|memory|size|perplexity|ppl|_(ms|s|mj|j|m|mb)$"
)


def guess_direction(name: str) -> Direction:
    """Which way a metric is better, from its name; an objective such as ``name:max`` overrides it."""
    return "min" if _LESS_IS_BETTER.search(name.lower()) else "max"


def read_table(
    path: str | Path,
    space: Space,
    arch_column: str | None = None,
    metrics: Wanted = None,
    duplicates: Duplicates = "mean",
    arch_format: str | None = None,
    max_gb: float = MAX_GB,
) -> Table:
    r"""Read a table from CSV, CSV.gz, Parquet (needs pyarrow) or JSON Lines.

    Rows are counted from 1, the header not included. Rows in which one of the columns that are read is empty or
    not finite are left out; the table's ``notes`` say how many. Equal architectures in several rows, such as those of
    several seeds, are one row of the table.

    Args:
        path: the file; its suffix says the format.
        space: how architectures are written, and what they mean.
        arch_column: the column of architectures; by default one called ``arch``, ``architecture``,
            ``arch_str`` or ``text``, else the first whose first value the space can read.
        metrics: the columns to read, or a function that names them given all columns; by default every
            column of numbers. Columns that are not read may hold anything.
        duplicates: what becomes of several rows of one architecture that disagree: their ``mean``, the ``first``
            of them, or an ``error``.
        arch_format: the tool that wrote the architectures, of :attr:`Space.formats`; by default the space's own form.
        max_gb: most GiB that the file may hold after decompression.

    Raises:
        TableError: the file cannot be read, a column does not exist, a text is no architecture of
            the space, a value is no number, a column holds none, or rows of one architecture disagree and
            should not; the message names row and column.

    Example:
        >>> import tempfile
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> file = Path(tempfile.mkdtemp()) / "mine.csv"
        >>> _ = file.write_text("arch,accuracy\n|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,0.5\n")
        >>> table = read_table(file, NASBench201())
        >>> table.optimum("accuracy")[0]
        0.5
    """
    path = Path(path)
    frame, digest = read_frame(path, max_gb)
    reader = _Reader(path.name, frame, space, arch_format)
    column = reader.arch_column(arch_column)
    values = reader.metrics(list(metrics(reader.columns)) if callable(metrics) else metrics, column)
    archs = reader.population(column)
    kept, notes = reader.complete(values)
    first, merged, more = reader.distinct(np.array(archs.keys), values, kept, duplicates)
    rows = archs[first]
    return Table(
        name=path.name,
        protocol=f"table/{path.name}/{digest[:16]}{'/first' if more and duplicates == 'first' else ''}",
        space=space,
        keys=tuple(rows.keys),
        metrics={name: Metric(name, guess_direction(name)) for name in merged},
        columns=merged,
        archs=None if len(rows) == space.size else rows,
        notes=(*reader.notes, *notes, *more),
    )


def read_rows(
    path: str | Path,
    space: Space,
    metrics: Sequence[str] = (),
    optional: Sequence[str] = (),
    arch_format: str | None = None,
    max_gb: float = MAX_GB,
) -> tuple[Population, dict[str, NDArray[np.float64]]]:
    """The architectures of a file, in its order, with the metrics that stand beside them.

    Of an archive's export the successful rows are read.

    Args:
        path: a text file with an architecture on each line, or a file as for :func:`read_table`.
        space: how architectures are written.
        metrics: columns that must be there, finite.
        optional: columns that are read where they are there and complete.
        arch_format: as for :func:`read_table`.
        max_gb: as for :func:`read_table`.

    Returns:
        The architectures ``(rows,)`` and each metric's values ``(rows,)``.

    Raises:
        TableError: the file cannot be read, or a cell is not what it should be; the message names row and column.
    """
    path = Path(path)
    frame = _lines(path, max_gb) if path.suffix == ".txt" else read_frame(path, max_gb)[0]
    if "status" in frame.columns:
        frame = frame[frame["status"] == "ok"].reset_index(drop=True)
    if not len(frame):
        raise TableError(f"{path.name}: expected at least one architecture, got none.")
    reader = _Reader(path.name, frame, space, arch_format)
    column = reader.arch_column(None)
    there = [name for name in optional if name in reader.columns and not frame[name].isna().any()]
    values = reader.metrics([*metrics, *(name for name in there if name not in metrics)], column)
    reader.refuse_incomplete(values)
    return reader.population(column), values


def read_columns(
    path: str | Path, space: Space, names: Sequence[str] | None = None, max_gb: float = MAX_GB
) -> tuple[Population, dict[str, FloatArray], str]:
    """Architectures of a file, each once, with columns that may lack values: NaN there.

    Args:
        path: a file as for :func:`read_table`.
        space: how architectures are written.
        names: the columns; None: every column of numbers.
        max_gb: as for :func:`read_table`.

    Returns:
        The architectures ``(rows,)``, the columns by name, each ``(rows,)``, and the content's SHA-256.

    Raises:
        TableError: as for :func:`read_table`.
    """
    frame, digest = read_frame(Path(path), max_gb)
    reader = _Reader(Path(path).name, frame, space)
    column = reader.arch_column(None)
    values, archs = reader.metrics(names, column), reader.population(column)
    _, first = np.unique(np.array(archs.keys), return_index=True)
    rows = np.sort(first)
    return archs[rows], {name: found[rows] for name, found in values.items()}, digest


def _lines(path: Path, max_gb: float) -> pd.DataFrame:
    import pandas as pd

    try:
        lines = read_bounded(path, int(max_gb * GIB), TableError).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise TableError(f"Cannot read {path}: {shown(str(error))}; save it as UTF-8.") from error
    return pd.DataFrame({"arch": [line.strip() for line in lines if line.strip()]})


class _Reader:
    """Checks the cells of one file; every message names the file, the row and the column."""

    def __init__(self, name: str, frame: pd.DataFrame, space: Space, arch_format: str | None = None) -> None:
        if arch_format is not None and arch_format not in space.formats:
            raise UnknownNameError(f"format of architectures of {space.name}", arch_format, space.formats)
        self.name, self.frame, self.space = name, frame, space
        self.own = str if arch_format is None else space.formats[arch_format]
        self.notes: list[str] = []
        self.columns = [str(c) for c in frame.columns]

    def arch_column(self, wished: str | None) -> str:
        """The column that holds architectures."""
        if wished is not None:
            return self._existing(wished)
        named = [c for c in self.columns if c.lower() in ARCH_COLUMNS]
        readable = [c for c in self.columns if self._reads(self.frame[c].iloc[0])]
        for column in [*(c for c in named if c in readable), *readable, *named]:
            return column
        raise TableError(
            f"{self.name}: no column of architectures of the space {self.space.name}: expected one called "
            f"{', '.join(ARCH_COLUMNS)}, or texts that the space can read; got columns {listed(self.columns)}."
            f"{self._hint([cell for c in self.columns for cell in self.frame[c].iloc[:1]]) or _OTHER}"
        )

    def metrics(self, wished: Sequence[str] | None, arch_column: str) -> dict[str, NDArray[np.float64]]:
        """The values of each metric, ``(rows,)``; NaN where there is none, or none that is finite."""
        if wished is not None:
            return {name: self._numbers(self._existing(name)) for name in wished}
        found = {c: self._numbers(c) for c in self.columns if c != arch_column and self._is_numeric(c)}
        if not found:
            raise TableError(
                f"{self.name}: expected a column of numbers beside {shown(arch_column)}, got {listed(self.columns)}."
            )
        return found

    def population(self, column: str) -> Population:
        """Every row's architecture."""
        texts = [cell if isinstance(cell, str) else str(cell) for cell in self.frame[column]]
        try:
            return self.space.from_texts([self.own(text) for text in texts])
        except InvalidArchitectureError as error:
            self._bad_text(column, texts, error)

    def complete(self, values: dict[str, FloatArray]) -> tuple[NDArray[np.intp], list[str]]:
        """Rows in which every value is finite, and what a person should know of the others."""
        lacking = {name: int(np.isnan(column).sum()) for name, column in values.items()}
        rows = np.flatnonzero(~np.logical_or.reduce([np.isnan(column) for column in values.values()]))
        some = [f"{name} ({count:,})" for name, count in lacking.items() if count]
        if not some:
            return rows, []
        if not len(rows):
            raise TableError(f"{self.name}: no row has finite values in all of {listed(values)}: complete one.")
        left_out = f"{len(self.frame) - len(rows):,} of {len(self.frame):,} rows"
        return rows, [f"{self.name}: {left_out} are left out: they have no finite value of {', '.join(some)}."]

    def refuse_incomplete(self, values: dict[str, FloatArray]) -> None:
        """Refuse a value that is not there."""
        for name, column in values.items():
            for row in np.flatnonzero(np.isnan(column)):
                self._no_number(int(row), name)

    def distinct(
        self, keys: NDArray[np.str_], values: dict[str, FloatArray], kept: NDArray[np.intp], how: Duplicates
    ) -> tuple[NDArray[np.intp], dict[str, FloatArray], list[str]]:
        """The first row of every architecture, in order, with its values, and a note where several disagreed."""
        _, place, group = np.unique(keys[kept], return_index=True, return_inverse=True)
        order, merged, several = np.argsort(place), {}, np.zeros(len(place), dtype=bool)
        for name, column in values.items():
            own, first = column[kept], column[kept][place]
            differing = own != first[group]
            if differing.any() and how == "error":
                row = int(np.flatnonzero(differing)[0])
                other = int(place[group[row]])
                raise TableError(
                    f"{self.name}: rows {kept[other] + 1} and {kept[row] + 1} are the same architecture but disagree "
                    f"in column {shown(name)}: {own[other]} and {own[row]}. Keep one, average them, or say "
                    "--table-duplicates mean or first."
                )
            disagree = np.bincount(group, differing) > 0
            mean = np.bincount(group, own) / np.bincount(group)
            merged[name] = np.where(disagree & (how == "mean"), mean, first)[order]
            several |= disagree
        note = f"{self.name}: {several.sum():,} architectures stand in several rows that disagree: "
        what = "their means are taken" if how == "mean" else "the first rows are taken"
        return kept[place[order]], merged, [f"{note}{what} (--table-duplicates)."] if several.any() else []

    def _existing(self, name: str) -> str:
        if name in self.columns:
            return name
        near = difflib.get_close_matches(name[:200], self.columns, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise TableError(f"{self.name}: no column {shown(name)}.{hint} Columns: {listed(self.columns)}.")

    def _reads(self, cell: Any) -> bool:
        try:
            self.space.from_text(self.own(str(cell)))
        except InvalidArchitectureError:
            return False
        return True

    def _hint(self, cells: Sequence[Any]) -> str:
        """Which other tool's form the cells have."""
        for tool, own in self.space.formats.items():
            for cell in cells:
                try:
                    self.space.from_text(own(str(cell)))
                except InvalidArchitectureError:
                    continue
                return f" It can be read as {tool} writes it: give --arch-format {tool}."
        return ""

    def _is_numeric(self, column: str) -> bool:
        """Whether at least half of the filled cells (of the first 1,000) are numbers: then the others are mistakes."""
        filled = [cell for cell in self.frame[column].iloc[:1000] if cell is not None and cell != "" and cell == cell]
        numbers = sum(_number(_per_cent(cell) or cell) is not None for cell in filled)
        return bool(filled) and 2 * numbers >= len(filled)

    def _numbers(self, column: str) -> NDArray[np.float64]:
        cells = self._hundredths(column, self.frame[column].to_numpy(dtype=object))
        try:
            values = cells.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            values = np.full(len(cells), np.nan)
        bad = np.flatnonzero(~np.isfinite(values))
        for row in bad:
            number = _number(cells[row])
            if number is None:
                if not _is_missing(cells[row]):
                    self._no_number(int(row), column)
                number = np.nan
            values[row] = number if np.isfinite(number) else np.nan
        return values

    def _hundredths(self, column: str, cells: NDArray[np.object_]) -> NDArray[np.object_]:
        """The cells; numbers with a percent sign, where all have one, as fractions of 1."""
        if not any(_per_cent(cell) for cell in cells):
            return cells
        for row, cell in enumerate(cells):
            if not (_is_missing(cell) or _per_cent(cell)):
                raise TableError(
                    f"{self.name}: row {row + 1}, column {shown(column)}: expected a percent sign as in other rows, "
                    f"got {shown(cell)}. Write all values in one way."
                )
        self.notes.append(f"{self.name}: {column} is written with percent signs and read as a fraction: 50% is 0.5.")
        numbers = [np.nan if _is_missing(cell) else float(_per_cent(cell) or "nan") / 100 for cell in cells]
        return np.array(numbers, dtype=object)

    def _no_number(self, row: int, column: str) -> NoReturn:
        raise TableError(
            f"{self.name}: row {row + 1}, column {shown(column)}: expected a finite number, got "
            f"{shown(self.frame[column].iloc[row])}. Complete the table, drop the row, or read other columns only "
            "(metrics=…)."
        )

    def _bad_text(self, column: str, texts: list[str], error: InvalidArchitectureError) -> NoReturn:
        row = next((row for row, text in enumerate(texts) if not self._reads(text)), 0)
        other = row == 0 and not any(self._reads(text) for text in texts[:20])
        about = f" Is it a table of another space than {self.space.name}?" if other else ""
        hint = self._hint([texts[row]]) or about
        try:
            self.space.from_text(self.own(texts[row]))
        except InvalidArchitectureError as first:
            error = first
        raise TableError(f"{self.name}: row {row + 1}, column {shown(column)}: {error}{hint}") from error


def _per_cent(cell: Any) -> str:
    """The number in front of a percent sign, or an empty text."""
    text = cell.strip() if isinstance(cell, str) else ""
    number = text.removesuffix("%").strip()
    return number if text.endswith("%") and _number(number) is not None else ""


def _is_missing(cell: Any) -> bool:
    """Whether a cell says that there is no value."""
    return cell is None or str(cell).strip().lower() in ("", "-", "na", "n/a", "nan", "none", "null", "<na>")


def _number(cell: Any) -> float | None:
    """The cell as a float, or None if it is no number."""
    try:
        return None if cell is None else float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
