"""Tables by hand: official files turned into tables, and what a table says about an architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, TableError, UnknownNameError
from gennas.eval.base import Direction
from gennas.eval.tables import TABLES, guess_direction, open_table
from gennas.eval.tables.files import read_frame
from gennas.eval.tables.formats import GIB, Conversion, Missing, Source
from gennas.eval.tables.formats import convert_table as convert
from gennas.eval.tables.user import ARCH_COLUMNS
from gennas.graph import Population
from gennas.spaces import Space
from gennas.workbench.problem import space_from
from gennas.workbench.settings import Count, Positive, Settings, SpaceSettings, Switch, Texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ConvertSettings", "Listing", "TableSettings", "best_rows", "convert_table", "find_row", "list_table"]

_HASH_COLUMNS = ("hash", "module_hash")
_MOST = 2_000_000
"""A space of more prefixes is not enumerated."""


@dataclass(frozen=True)
class ConvertSettings(Settings):
    """Turn a published benchmark's official file into a table that `--table` reads.

    Nothing in the file is run: numbers, texts and containers are all it may hold.

    Formats, found by their structure:
      nasbench101    nasbench_full.tfrecord, nasbench_only108.tfrecord
      nats           NATS-tss-*.pickle.pbz2, NATS-tss-*-simple/, NAS-Bench-201-*.pth
      suite-zero     zc_*.json of NAS-Bench-Suite-Zero
      macro          nas-bench-macro_cifar10.json
      transnas       transnas-bench_*.pth (choose --part micro or macro)
      nasbench301    a folder of results_*.json
      nasbench-bert  BERT_benchmark.json

    The column `arch` holds architectures as text, `hash` the benchmark's own names.
    """

    source: Path | None = None
    """The official file, or folder of files."""
    out: Path | None = None
    """The table to write: .parquet, .csv.gz or .csv."""
    format: str = "auto"
    """One of the formats above; `auto` finds it by the structure."""
    dataset: str | None = None
    """Read one dataset (or task) only, and leave its name out of the columns' names (default: all)."""
    part: str | None = None
    """The search space to read, where a file holds several."""
    seeds: Switch = True
    """Write a column for each repeated training, too; means are always written."""
    missing: Missing = "columns"
    """What to leave out where values were not measured: their columns, their rows, or nothing (keep)."""
    max_gb: Positive = 2.0
    """Refuse files that hold more GiB after decompression: a small file can hold more than this machine has."""

    def check(self) -> None:
        """Refuse what is not given."""
        if self.part == "" or self.dataset == "":
            raise ConfigError("Expected a name as --part or --dataset, got nothing.")


@dataclass(frozen=True)
class TableSettings(SpaceSettings):
    """Look architectures up in a table: one by its text or its hash, or the best ones.

    More examples:
      gennas table show nasbench-graph/cora 0012:gat,gcn,fc,skip --space nasbench-graph
      gennas table show nb201.csv.gz --best 5 --metric cifar10_test_accuracy_200
      gennas table show nb101.parquet --hash MD5 --space nasbench101
    """

    action: Literal["show"] = "show"
    """What to do."""
    table: str = ""
    """The table: a name from `gennas list tables`, or a file."""
    arch: str = ""
    """The architecture's text, in any form that the space reads."""
    hash: str | None = None
    """The architecture's name in its benchmark: the MD5 of NAS-Bench-101, the index of NATS-Bench."""
    best: Count | None = None
    """List this many of the best architectures."""
    metric: Texts = ()
    """What to list the best by; repeat it for several lists (default: the first validation accuracy, or column)."""
    max_gb: Positive = 2.0
    """Most GiB that the table's file may hold after decompression."""

    def check(self) -> None:
        """Refuse more or less than one thing to look up."""
        if not self.table:
            raise ConfigError("Expected a table, as in: gennas table show TABLE ARCH.")
        if (self.arch != "") + (self.hash is not None) + (self.best is not None) != 1:
            raise ConfigError("Expected one of: an architecture's text, --hash NAME or --best K.")


def convert_table(
    settings: ConvertSettings, progress: Callable[[int, int | None], None] = lambda done, total: None
) -> Conversion:
    """Write the table that settings ask for.

    Args:
        settings: what to read, and where to write.
        progress: is told how much is done, of how much if that is known.

    Raises:
        ConfigError: no file to read, or to write.
        TableError: see :func:`gennas.eval.tables.formats.convert_table`.
    """
    if settings.source is None or settings.out is None:
        raise ConfigError("Expected two files, as in: gennas convert-table nasbench_full.tfrecord nb101.parquet.")
    limit = int(settings.max_gb * GIB)
    source = Source(settings.source, settings.dataset, settings.part, settings.seeds, limit, progress)
    return convert(source, settings.out, settings.format, settings.missing)


@dataclass(frozen=True)
class Listing:
    """A table's rows with their architectures' texts.

    Args:
        name: the table's.
        space: what reads texts.
        rows: a column ``arch``, maybe ``hash``, and metrics.
        directions: which way each metric is better.
    """

    name: str
    space: Space
    rows: pd.DataFrame
    directions: dict[str, Direction]


def list_table(settings: TableSettings) -> Listing:
    """The table that settings name.

    Raises:
        GennasError: no such table, or it cannot be read.
    """
    space, name = space_from(settings), settings.table
    if name not in TABLES and Path(name).is_file():
        return _from_file(Path(name), space, settings.max_gb)
    table, found = open_table(name, space), None
    import pandas as pd

    if (population := _enumerated(table.space)) is not None:
        texts = dict(zip(population.keys, population, strict=True))
        found = [table.space.to_text(texts[key]) if key in texts else f"key {key}" for key in table.keys]
    rows = pd.DataFrame({"arch": found or [f"key {key}" for key in table.keys], **table.columns})
    return Listing(table.name, table.space, rows, {name: m.direction for name, m in table.metrics.items()})


def find_row(listing: Listing, arch: str = "", hash: str | None = None) -> dict[str, object]:
    """Everything that the table says about an architecture.

    Raises:
        TableError: the table has no such row.
        InvalidArchitectureError: neither the table nor the space knows the text.
    """
    rows = listing.rows
    if hash is not None:
        column = next((c for c in _HASH_COLUMNS if c in rows.columns), None)
        if column is None:
            raise TableError(f"{listing.name}: no column {' or '.join(_HASH_COLUMNS)}; look it up by its text.")
        at = np.flatnonzero(rows[column].astype(str).isin([hash, f"#{hash}"]))
    else:
        at = _rows_of(listing, arch)
    if not len(at):
        raise TableError(f"{listing.name} ({len(rows):,} rows) has no row for {arch or hash}.")
    return {str(name): value for name, value in rows.iloc[int(at[0])].items()}


def best_rows(listing: Listing, k: int, metric: str | None = None) -> tuple[str, pd.DataFrame]:
    """The metric's name, and the ``k`` best rows by it, best first.

    Raises:
        UnknownNameError: the table has no such metric.
        TableError: it has no metric at all.
    """
    if metric is not None and metric not in listing.directions:
        raise UnknownNameError("metric", metric, listing.directions)
    if not listing.directions:
        raise TableError(f"{listing.name}: no column of numbers.")
    accuracies = [name for name in listing.directions if "val" in name and "acc" in name]
    chosen = metric or (accuracies or list(listing.directions))[0]
    ascending = listing.directions[chosen] == "min"
    return chosen, listing.rows.sort_values(chosen, ascending=ascending, kind="stable").dropna(subset=[chosen]).head(k)


def _from_file(path: Path, space: Space, max_gb: float) -> Listing:
    import pandas as pd

    frame = read_frame(path, max_gb)[0]
    column = next((c for c in frame.columns if c.lower() in ARCH_COLUMNS), None)
    column = column or next((c for c in frame.columns if _reads(space, str(frame[c].iloc[0]))), None)
    if column is None:
        raise TableError(f"{path.name}: no column of architectures; expected one called {', '.join(ARCH_COLUMNS)}.")
    frame, directions = frame.rename(columns={column: "arch"}), {}
    for name in frame.columns:
        values = pd.to_numeric(frame[name], errors="coerce")
        if name not in ("arch", *_HASH_COLUMNS) and values.notna().any():
            frame[name], directions[name] = values, guess_direction(name)
    return Listing(path.name, space, frame, directions)


def _rows_of(listing: Listing, text: str) -> NDArray[np.intp]:
    """Rows of an architecture: of its text, of the space's text for it, or of an equal one's."""
    column, space = listing.rows["arch"].astype(str), listing.space
    at = np.flatnonzero(column == text)
    if not len(at):
        arch = space.from_text(text)
        at = np.flatnonzero(column == space.to_text(arch))
        if not len(at) and _reads(space, column.iloc[0]):
            at = np.flatnonzero(np.array(space.from_texts(list(column)).keys) == arch.key)
    return at


def _reads(space: Space, text: str) -> bool:
    try:
        space.from_text(text)
    except InvalidArchitectureError:
        return False
    return True


def _enumerated(space: Space) -> Population | None:
    """Every architecture of a small space; None where there are too many ways to begin."""
    D = np.zeros((1, space.schema.num_decisions), dtype=np.int16)
    for t in range(D.shape[1]):
        rows, labels = np.nonzero(space.legal(D, t))
        if len(rows) > _MOST:
            return None
        D = D[rows]
        D[:, t] = labels
    return space.canonical(Population.from_decisions(space.schema, D))
