"""Official benchmark files as tables that ``--table`` reads: which format it is, its rows, and a file of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gennas.errors import TableError, UnknownNameError, shown
from gennas.eval.tables.formats.base import Rows, Source, read_json
from gennas.eval.tables.formats.macro import is_macro, read_macro
from gennas.eval.tables.formats.nasbench101 import read_nasbench101
from gennas.eval.tables.formats.nasbench301 import is_nasbench301, is_nasbench301_folder, read_nasbench301
from gennas.eval.tables.formats.nasbench_bert import is_nasbench_bert, read_nasbench_bert
from gennas.eval.tables.formats.nats import is_nats, is_nats_folder, read_nats, read_nats_folder
from gennas.eval.tables.formats.pickles import load_pickle
from gennas.eval.tables.formats.suite_zero import is_suite_zero, read_suite_zero
from gennas.eval.tables.formats.transnas import is_transnas, read_transnas
from gennas.runtime.files import draft
from gennas.spaces.base import SPACES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "Conversion", "Format", "Missing", "convert_table", "open_official"]

Missing = Literal["columns", "rows", "keep"]
_ENDINGS = (".parquet", ".csv.gz", ".csv")


@dataclass(frozen=True)
class Format:
    """One benchmark's official files.

    Args:
        title: the benchmark, for a person.
        kind: how its files are packed.
        fits: whether a content of that kind has its structure.
        read: the rows of such a content.
    """

    title: str
    kind: Literal["tfrecord", "pickle", "json", "folder"]
    fits: Callable[[Any], bool]
    read: Callable[[Source, Any], Rows]


FORMATS: Mapping[str, tuple[Format, ...]] = {
    "nasbench101": (Format("NAS-Bench-101", "tfrecord", lambda _: True, lambda source, _: read_nasbench101(source)),),
    "nats": (
        Format("NATS-Bench or NAS-Bench-201", "pickle", is_nats, read_nats),
        Format("NATS-Bench", "folder", is_nats_folder, read_nats_folder),
    ),
    "suite-zero": (Format("NAS-Bench-Suite-Zero", "json", is_suite_zero, read_suite_zero),),
    "macro": (Format("NAS-Bench-Macro", "json", is_macro, read_macro),),
    "transnas": (Format("TransNAS-Bench-101", "pickle", is_transnas, read_transnas),),
    "nasbench301": (
        Format("NAS-Bench-301", "json", is_nasbench301, read_nasbench301),
        Format("NAS-Bench-301", "folder", is_nasbench301_folder, read_nasbench301),
    ),
    "nasbench-bert": (Format("NAS-Bench-BERT", "json", is_nasbench_bert, read_nasbench_bert),),
}
"""Formats by name; one may come packed in several ways."""


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Args:
        path: the file.
        format: the benchmark's name.
        rows: how many architectures.
        columns: names of what stands beside each architecture.
        left_out: what the official file holds and the table does not, a phrase each.
        space: the search space that reads the column ``arch``.
        searchable: whether gennas has that space.
    """

    path: Path
    format: str
    rows: int
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    space: str
    searchable: bool


def convert_table(source: Source, out: Path, format: str = "auto", missing: Missing = "columns") -> Conversion:
    """Write the rows of an official file as Parquet or CSV, to be searched with ``--table``.

    Args:
        source: what to read, and how.
        out: the file to write: ``.parquet`` (needs pyarrow), ``.csv.gz`` or ``.csv``.
        format: a name in :data:`FORMATS`; ``auto`` finds it by the structure.
        missing: what becomes of values that were not measured: their ``columns`` are left out, their ``rows`` are,
            or both are kept with empty cells (a search then has to name the columns it reads).

    Raises:
        TableError: the file is damaged, has another structure or cannot be read safely; or nothing is left.
        UnknownNameError: no such format.
    """
    if not out.name.lower().endswith(_ENDINGS):
        raise TableError(f"{out.name}: expected a name that ends with {', '.join(_ENDINGS)}.")
    name, rows = open_official(source, format)
    frame, dropped = _complete(source, rows.frame(), missing)
    _write(frame, out)
    return Conversion(
        out,
        name,
        len(frame),
        tuple(c for c in frame.columns if c != "arch"),
        (*dropped, *rows.left_out),
        rows.space,
        rows.space in SPACES,
    )


def open_official(source: Source, format: str = "auto") -> tuple[str, Rows]:
    """The format's name and the rows of an official file.

    Raises:
        TableError: the file is damaged, has another structure or cannot be read safely.
        UnknownNameError: no such format.
    """
    if format != "auto" and format not in FORMATS:
        raise UnknownNameError("format", format, ["auto", *FORMATS])
    if not source.path.exists():
        raise TableError(f"Cannot read {source.path}: no such file or folder.")
    try:
        kind, content = _unpack(source)
        for name in FORMATS if format == "auto" else [format]:
            for candidate in FORMATS[name]:
                if candidate.kind == kind and candidate.fits(content):
                    return name, candidate.read(source, content)
    except TableError:
        raise
    except OSError as error:
        raise TableError(f"Cannot read {source.path}: {error.strerror or error}.") from error
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        # A file of hostile or damaged content: whatever its reader did not think of is still one line.
        raise TableError(
            f"{source.name}: of another structure than it seemed ({type(error).__name__}: {shown(str(error)[:120])})."
        ) from error
    wanted = f"the structure of {FORMATS[format][0].title}" if format != "auto" else "the structure of a known format"
    raise TableError(f"{source.name}: expected {wanted}, got another ({kind}). Known formats: {', '.join(FORMATS)}.")


def _unpack(source: Source) -> tuple[str, Any]:
    """How the file is packed, and what that holds."""
    path = source.path
    if path.is_dir():
        return "folder", path
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise TableError(f"Cannot read {path}: {error.strerror}.") from error
    if head[:3] == b"BZh" or head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return "pickle", load_pickle(source, path)
    if head.lstrip()[:1] in (b"{", b"[") or head[:2] == b"\x1f\x8b":
        return "json", read_json(source, path)
    if re.match(rb"[\0-\xff]{2}[\0-\x0f]\0{5}", head, re.DOTALL):  # a length of eight bytes, below 1 MiB
        return "tfrecord", path
    raise TableError(
        f"{path.name}: no TFRecord, JSON, pickle or torch file, or damaged from its first bytes on; "
        f"known formats: {', '.join(FORMATS)}."
    )


def _complete(source: Source, frame: pd.DataFrame, missing: Missing) -> tuple[pd.DataFrame, list[str]]:
    """The rows and columns that are complete, and what was left out."""
    numbers = [name for name in frame.columns if name not in ("arch", "hash")]
    values = frame[numbers].astype(np.float64)
    frame = frame.assign(**{name: values[name] for name in numbers if frame[name].dtype == object})
    absent = ~np.isfinite(values.to_numpy())
    if missing == "rows":
        rows = absent.any(axis=1)
        frame, dropped = (
            frame[~rows].reset_index(drop=True),
            [f"{rows.sum():,} incompletely measured rows"],
        )
    elif missing == "columns":
        partly = [(name, int(n)) for name, n in zip(numbers, absent.sum(axis=0), strict=True) if n]
        frame = frame.drop(columns=[name for name, _ in partly])
        dropped = [f"column {name} ({n:,} of {len(frame):,} values were not measured)" for name, n in partly]
    else:
        return frame, []
    if not len(frame) or all(name in ("arch", "hash") for name in frame.columns):
        raise TableError(
            f"{source.name}: no {missing} without missing values; choose a --dataset, or another --missing "
            "(columns, rows or keep)."
        )
    return frame, dropped if absent.any() else []


def _write(frame: pd.DataFrame, out: Path) -> None:
    try:
        with draft(out) as place:
            if out.suffix.lower() == ".parquet":
                frame.to_parquet(place, index=False)
            else:
                frame.to_csv(place, index=False, compression="gzip" if out.suffix.lower() == ".gz" else None)
    except ImportError as error:
        raise TableError(
            f"{out.name}: writing Parquet needs pyarrow; pip install 'gennas[parquet]', or write .csv.gz."
        ) from error
    except OSError as error:
        raise TableError(f"Cannot write {out}: {error.strerror or error}.") from error
