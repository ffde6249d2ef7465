"""Tables in files: CSV, CSV.gz, Parquet and JSON Lines as a DataFrame of what the cells hold."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = "CSV (.csv), CSV.gz (.csv.gz), Parquet (.parquet) or JSON Lines (.jsonl)"


def read_frame(path: Path) -> tuple[pd.DataFrame, str]:
    """The cells of a file and the SHA-256 of its (decompressed) content.

    CSV cells are strings; Parquet and JSON cells keep their types.
    """
    content = _content(path)
    suffix = [s.lower() for s in path.suffixes if s.lower() != ".gz"][-1:]
    if suffix == [".csv"]:
        frame = _csv(path, content)
    elif suffix in ([".jsonl"], [".ndjson"], [".json"]):
        frame = _json_lines(path, content)
    elif suffix in ([".parquet"], [".pq"]):
        frame = _parquet(path, content)
    else:
        raise TableError(f"{path.name}: expected {FORMATS}, got the suffix {''.join(path.suffixes) or 'none'}.")
    if not len(frame):
        raise TableError(f"{path.name}: the table has no rows.")
    frame.columns = [str(c).strip() for c in frame.columns]
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


def _csv(path: Path, content: bytes) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, index_col=False).astype(object)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise TableError(f"{path.name}: not a readable CSV file ({str(error).strip()}).") from error


def _json_lines(path: Path, content: bytes) -> pd.DataFrame:
    import pandas as pd

    records = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
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
