"""Tables in files: CSV, CSV.gz, Parquet and JSON as a DataFrame of what the cells hold.

What stands in the wild is read where it can mean one thing only: columns separated by commas, semicolons or tabs, lines
of comment, UTF-16, and JSON as an array or as lines.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import json
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = "CSV (.csv), CSV.gz (.csv.gz), Parquet (.parquet) or JSON Lines (.jsonl)"
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_frame(path: Path) -> tuple[pd.DataFrame, str]:
    """The cells of a file and the SHA-256 of its (decompressed) content.

    CSV cells are strings; Parquet and JSON cells keep their types.
    """
    content = _content(path)
    suffix = [s.lower() for s in path.suffixes if s.lower() != ".gz"][-1:]
    if suffix in ([".csv"], [".tsv"]):
        frame = _csv(path, content)
    elif suffix in ([".jsonl"], [".ndjson"], [".json"]):
        frame = _json(path, content)
    elif suffix in ([".parquet"], [".pq"]):
        frame = _parquet(path, content)
    else:
        raise TableError(f"{path.name}: expected {FORMATS}, got the suffix {''.join(path.suffixes) or 'none'}.")
    if not len(frame):
        raise TableError(f"{path.name}: the table has no rows.")
    frame.columns = [str(c).strip() for c in frame.columns]
    _refuse_repeated(path, list(frame.columns))
    return frame, hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"Cannot read the table {path}: {error.strerror}.") from error
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{path.name}: not a readable gzip file ({error}); download or pack it again.") from error
    if not content.strip():
        raise TableError(f"{path.name}: the file is empty.")
    return content


def _refuse_repeated(path: Path, columns: list[str]) -> None:
    repeated = [name for i, name in enumerate(columns) if name in columns[:i]]
    if repeated:
        raise TableError(f"{path.name}: several columns are called {repeated[0]!r}: rename or drop all but one.")


def _text(path: Path, content: bytes, kind: str) -> str:
    """The text of UTF-8, or of UTF-16 that says so in its first bytes."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path.name}: not a readable {kind} file ({error}); save it as UTF-8.") from error


def _csv(path: Path, content: bytes) -> pd.DataFrame:
    import pandas as pd

    lines = _without_comments(list(io.StringIO(_text(path, content, "CSV"), newline="")))
    separator = _separator(path, lines)
    try:
        header = next(csv.reader(lines, delimiter=separator), [])
        _refuse_repeated(path, [name.strip() for name in header if name.strip()])
        ends = any("".join(row[len(header) :]).strip() for row in csv.reader(lines, delimiter=separator))
        with warnings.catch_warnings():  # of more cells than columns: separators at the ends of lines are no cells
            warnings.simplefilter("error" if ends else "ignore", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO("".join(lines)), sep=separator, dtype=str, keep_default_na=False, index_col=False
            ).astype(object)
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path.name}: not a readable CSV file ({str(error).strip()}).") from error
    except pd.errors.ParserWarning as error:
        raise TableError(
            f"{path.name}: not a readable CSV file: its rows have more cells than the header, separated by "
            f"{_SEPARATORS[separator]}; put cells that hold a {separator!r} in double quotes."
        ) from error


def _without_comments(lines: list[str]) -> list[str]:
    """Lines that do not begin with ``#``; where that leaves no header, the last of those before the first row is it."""
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
            if len(columns) == len(whole):
                return pd.DataFrame(columns, dtype=object)
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_once)
        except ValueError as error:
            raise TableError(f"{path.name}: line {number} is not JSON ({error}).") from error
        if not isinstance(record, dict):
            raise TableError(f"{path.name}: line {number}: expected a JSON object, got {line[:60]!r}.")
        records.append(record)
    return pd.DataFrame(records, dtype=object)


def _parquet(path: Path, content: bytes) -> pd.DataFrame:
    import pandas as pd

    try:
        import pyarrow
    except ImportError as error:
        raise TableError(
            f"{path.name}: reading Parquet needs pyarrow; pip install 'gennas[parquet]', or convert the table to CSV."
        ) from error
    try:
        return pd.read_parquet(io.BytesIO(content)).reset_index(drop=True).astype(object)
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        raise TableError(f"{path.name}: not a readable Parquet file ({str(error).strip()}).") from error
