"""Tables in files: CSV, CSV.gz, Parquet and JSON as a DataFrame of what the cells hold.

What stands in the wild is read where it can mean one thing only: columns separated by commas, semicolons or tabs, lines
of comment, UTF-16, and JSON as an array or as lines.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.errors import TableError, reason_of, shown
from gennas.runtime.reading import GIB, bounded_memory, read_bounded, too_large

if TYPE_CHECKING:
    import pandas as pd

FORMATS = "CSV (.csv), CSV.gz (.csv.gz), Parquet (.parquet) or JSON Lines (.jsonl)"
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]+")
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


MAX_GB = 2.0
"""How many GiB a table's file holds at most, after decompression, unless more is allowed."""
MAX_CELL = 131_072
"""Most letters of a cell: the limit of Python's csv, for the other formats, too."""


def read_frame(path: Path, max_gb: float = MAX_GB) -> tuple[pd.DataFrame, str]:
    """The cells of a file and the SHA-256 of its (decompressed) content.

    CSV cells are strings; Parquet and JSON cells keep their types.

    Args:
        path: the file; its suffix says the format.
        max_gb: most GiB that it may hold after decompression; what is compressed to less than a 200th is refused.

    Raises:
        TableError: it cannot be read, is damaged, holds more, or a cell is longer than 131,072 letters.
    """
    content = read_bounded(path, int(max_gb * GIB), TableError, what="the table")
    if not content.strip():
        raise TableError(f"{path.name}: the file is empty.")
    suffix = [s.lower() for s in path.suffixes if s.lower() != ".gz"][-1:]
    if suffix in ([".csv"], [".tsv"]):
        frame = _csv(path, content)
    elif suffix in ([".jsonl"], [".ndjson"], [".json"]):
        frame = _within_memory(path, content, _json)
    elif suffix in ([".parquet"], [".pq"]):
        frame = _within_memory(path, content, partial(_parquet, limit=int(max_gb * GIB)))
    else:
        raise TableError(f"{path.name}: expected {FORMATS}, got the suffix {''.join(path.suffixes) or 'none'}.")
    if not len(frame):
        raise TableError(f"{path.name}: the table has no rows.")
    frame.columns = [str(c).strip() for c in frame.columns]
    _refuse_repeated(path, list(frame.columns))
    _refuse_long_cells(path, frame)
    return frame, hashlib.sha256(content).hexdigest()


def _within_memory(path: Path, content: bytes, read: Callable[[Path, bytes], pd.DataFrame]) -> pd.DataFrame:
    """Read formats in which a few bytes can stand for many objects."""
    import pandas as pd  # noqa: F401  # before memory is bounded

    try:
        with bounded_memory(len(content)):
            return read(path, content)
    except (MemoryError, RecursionError) as error:
        raise TableError(
            f"{path.name}: its {len(content):,} bytes ask for more memory than those of a sound file do, or are nested "
            "deeper than any table; convert it to CSV."
        ) from error


def _refuse_long_cells(path: Path, frame: pd.DataFrame) -> None:
    for name in frame.columns:
        cells = frame[name]
        longest = max((len(cell) for cell in cells if isinstance(cell, (str, bytes, list, dict))), default=0)
        if longest > MAX_CELL:
            row = next(i for i, cell in enumerate(cells) if hasattr(cell, "__len__") and len(cell) == longest)
            raise TableError(
                f"{path.name}: row {row + 1}, column {shown(name)}: expected at most {MAX_CELL:,} letters in a cell, "
                f"got {longest:,}."
            )


def _refuse_repeated(path: Path, columns: list[str]) -> None:
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise TableError(f"{path.name}: several columns are called {shown(repeated[0])}: rename or drop all but one.")


def _text(path: Path, content: bytes, kind: str) -> str:
    """The text of UTF-8, or of UTF-16 that says so in its first bytes."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path.name}: not a readable {kind} file ({error}); save it as UTF-8.") from error


def _csv(path: Path, content: bytes) -> pd.DataFrame:
    import pandas as pd

    text = _without_comments(_text(path, content, "CSV"))
    try:
        separator = _separator(path, list(islice(_lines(text), 20)))
        header = next(csv.reader(_lines(text), delimiter=separator), [])
        _refuse_repeated(path, [name.strip() for name in header if name.strip()])
        ends = any("".join(row[len(header) :]).strip() for row in csv.reader(_lines(text), delimiter=separator))
        with warnings.catch_warnings():  # of more cells than columns: separators at the ends of lines are no cells
            warnings.simplefilter("error" if ends else "ignore", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(text.encode()), sep=separator, dtype=str, keep_default_na=False, index_col=False
            ).astype(object)
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path.name}: not a readable CSV file ({reason_of(error)}).") from error
    except pd.errors.ParserWarning as error:
        raise TableError(
            f"{path.name}: not a readable CSV file: its rows have more cells than the header, separated by "
            f"{_SEPARATORS[separator]}; put cells that hold a {separator!r} in double quotes."
        ) from error


def _lines(text: str) -> Iterator[str]:
    """Lines with their ends, whatever the system that wrote them, one at a time: a table may have millions of them."""
    return (match[0] for match in _LINE.finditer(text))


def _without_comments(text: str) -> str:
    """Lines that do not begin with ``#``; where that leaves no header, the last of those before the first row is it."""
    if not text[0].isspace() and text[0] != "#" and "\n#" not in text and "\r#" not in text:
        return text
    return "".join(_uncommented(_lines(text)))


def _uncommented(lines: Iterable[str]) -> list[str]:
    comments, kept, is_open = list[str](), list[str](), False
    for line in lines:
        if line.startswith("#") and not is_open:
            comments += [] if kept else [line.lstrip("#").strip() + "\n"]
        elif kept or line.strip():
            kept.append(line)
            is_open ^= line.count('"') % 2 == 1
    if comments and kept:
        for separator in _SEPARATORS:
            names, cells = comments[-1].split(separator), next(csv.reader(kept, delimiter=separator), [])
            if len(names) == len(cells) > 1 and any(_is_number(c) for c in cells) and not any(map(_is_number, names)):
                return [comments[-1], *kept]
    return kept


def _is_number(cell: str) -> bool:
    try:
        return float(cell) is not None
    except ValueError:
        return False


def _separator(path: Path, lines: list[str]) -> str:
    """What separates columns: the one that splits the header, and the first rows into as many cells.

    Raises:
        TableError: more than one does.
    """
    counts = {sep: [len(row) for row in csv.reader(lines[:20], delimiter=sep)] for sep in _SEPARATORS}
    splitting = [sep for sep, found in counts.items() if found and found[0] > 1]
    even = [sep for sep in splitting if len(set(counts[sep])) == 1]
    if len(even) > 1:
        names = " and by ".join(_SEPARATORS[sep] for sep in even)
        raise TableError(f"{path.name}: its columns can be separated by {names}: keep one of them, or use quotes.")
    return next(iter([*even, *splitting, ","]))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand there once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _json(path: Path, content: bytes) -> pd.DataFrame:
    """Objects on lines or in an array; or one object with an array for each column."""
    import pandas as pd

    text = _text(path, content, "JSON")
    if path.name.lower().removesuffix(".gz").endswith(".json"):
        try:
            whole = json.loads(text, object_pairs_hook=_once)
        except ValueError:
            whole = None
        if isinstance(whole, list) and all(isinstance(record, dict) for record in whole):
            return pd.DataFrame(whole, dtype=object)
        if isinstance(whole, dict) and len({len(v) if isinstance(v, list) else -1 for v in whole.values()} - {0}) == 1:
            columns = {name: values for name, values in whole.items() if isinstance(values, list)}
            if len({len(values) for values in columns.values()}) == 1 and len(columns) == len(whole):
                return pd.DataFrame(columns, dtype=object)
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_once)
        except ValueError as error:
            raise TableError(f"{path.name}: line {number} is not JSON ({error!s:.200}).") from error
        if not isinstance(record, dict):
            raise TableError(f"{path.name}: line {number}: expected a JSON object, got {shown(line[:60])}.")
        records.append(record)
    return pd.DataFrame(records, dtype=object)


def _parquet(path: Path, content: bytes, limit: int) -> pd.DataFrame:
    import pandas as pd

    try:
        import pyarrow
    except ImportError as error:
        raise TableError(
            f"{path.name}: reading Parquet needs pyarrow; pip install 'gennas[parquet]', or convert the table to CSV."
        ) from error
    from pyarrow import parquet

    try:
        about = parquet.read_metadata(io.BytesIO(content))
        unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        if unpacked + 8 * about.num_rows * about.num_columns > limit:
            raise too_large(path, limit, TableError)
        return pd.read_parquet(io.BytesIO(content), use_threads=False).reset_index(drop=True).astype(object)
    except (pyarrow.ArrowException, ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{path.name}: not a readable Parquet file ({reason_of(error)}).") from error
