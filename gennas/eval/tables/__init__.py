"""Tables of measured architectures: those that come with gennas' dependencies, and any of the user's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from gennas.errors import TableError, UnknownNameError
from gennas.eval.tables import hw_nas_bench
from gennas.eval.tables.base import Table, TableEvaluator
from gennas.eval.tables.files import MAX_GB
from gennas.eval.tables.hw_nas_bench import load_hw_nas_bench
from gennas.eval.tables.nasbench_graph import DATASETS, load_nasbench_graph
from gennas.eval.tables.user import Duplicates, Wanted, guess_direction, read_columns, read_rows, read_table
from gennas.registry import Registry
from gennas.runtime.files import exists
from gennas.spaces.base import Space
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.nasbench_graph.space import NASBenchGraph

__all__ = [
    "TABLES",
    "Table",
    "TableEvaluator",
    "guess_direction",
    "load_hw_nas_bench",
    "load_nasbench_graph",
    "open_table",
    "read_columns",
    "read_rows",
    "read_table",
]

TABLES: Registry[Callable[[Space], Table]] = Registry("table", "gennas.tables")


def _said(text: str, load: partial[Table]) -> partial[Table]:
    """The same with a sentence of its own, for lists."""
    load.__doc__ = text
    return load


for _dataset, _data in DATASETS.items():
    _count = "2,021" if _dataset == "proteins" else "26,206"
    _text = f"Accuracy, latency and parameters of {_count} {NASBenchGraph.name} networks on {_data} (Qin et al. 2022); "
    TABLES.register(f"nasbench-graph/{_dataset}")(
        _said(f"{_text}installed with gennas.", partial(load_nasbench_graph, _dataset))
    )

for _dataset in hw_nas_bench.DATASETS:
    _name = f"{NASBench201.name}/hw-{_dataset.lower()}"
    _what = f"{NASBench201.name} cells for {_dataset} on edge devices (HW-NAS-Bench, Li et al. 2021)"
    _from = f"from {hw_nas_bench.FILE_NAME} in the folder GENNAS_CACHE."
    TABLES.register(_name)(
        _said(f"Latency and energy of 15,625 {_what}; {_from}", partial(load_hw_nas_bench, _dataset))
    )
    TABLES.register(f"{_name}-edgetpu")(
        _said(
            f"The same with the edge TPU, for the {_what} that ran on it; {_from}",
            partial(load_hw_nas_bench, _dataset, metrics=tuple(hw_nas_bench.METRICS)),
        )
    )


def open_table(
    name_or_path: str | Path,
    space: Space,
    metrics: Wanted = None,
    duplicates: Duplicates = "mean",
    arch_format: str | None = None,
    max_gb: float = MAX_GB,
) -> Table:
    """Open a table by its name in :data:`TABLES`, by ``module:function`` (called with ``space``), or by its file.

    Args:
        name_or_path: such as ``nasbench-graph/cora`` or ``mine.csv.gz``.
        space: the space that is searched.
        metrics: the columns of a file to read, or what names them among all; by default every column of numbers.
        duplicates: what becomes of several rows of one architecture in a file that disagree.
        arch_format: the tool that wrote a file's architectures; see :attr:`Space.formats`.
        max_gb: most GiB that a file may hold after decompression.

    Raises:
        UnknownNameError: neither a name nor a file.
        ConfigError: the named table belongs to another space.
        TableError: the table cannot be read; see :func:`read_table`.
    """
    name = str(name_or_path)
    if name not in TABLES and exists(Path(name)):
        return read_table(name, space, None, metrics, duplicates, arch_format, max_gb)
    if name in TABLES or ":" in name:
        return TABLES.get(name)(space)
    if Path(name).suffix:
        raise TableError(f"Cannot read the table {name}: no such file. Named tables: {', '.join(TABLES)}.")
    raise UnknownNameError("table", name, TABLES)
