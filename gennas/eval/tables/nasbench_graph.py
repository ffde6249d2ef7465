"""The nine tables of NAS-Bench-Graph, from the installed package ``nas-bench-graph``.

Source: Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022
(Datasets and Benchmarks), arXiv 2206.09166. The package's code is never run: its pickles are read
by :func:`~gennas.eval.tables.unpickle.load_numbers` and kept as arrays in a cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, TableError, UnknownNameError, reason_of, shown
from gennas.eval.base import Metric
from gennas.eval.tables.base import Table
from gennas.eval.tables.unpickle import load_numbers
from gennas.graph import Population
from gennas.runtime.files import draft
from gennas.runtime.reading import GIB, read_arrays
from gennas.spaces.base import Space
from gennas.spaces.nasbench_graph.space import NASBenchGraph

__all__ = ["DATASETS", "METRICS", "cache_folder", "load_nasbench_graph", "read_bench"]

FloatArray = NDArray[np.float64]

DATASETS = {
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "pubmed": "PubMed",
    "cs": "Coauthor CS",
    "physics": "Coauthor Physics",
    "photo": "Amazon Photo",
    "computers": "Amazon Computers",
    "arxiv": "ogbn-arxiv",
    "proteins": "ogbn-proteins",
}
METRICS = {
    "val_accuracy": Metric("val_accuracy", "max", "", "validation accuracy, a fraction"),
    "test_accuracy": Metric("test_accuracy", "max", "", "test accuracy, a fraction"),
    "latency_s": Metric("latency_s", "min", "s", "time of one inference pass, as published"),
    "params_m": Metric("params_m", "min", "M", "millions of parameters"),
}
_PUBLISHED_NAMES = ("valid_perf", "perf", "latency", "para")  # in the order of METRICS
_CACHE_VERSION = 1  # raised when rows or keys come to mean something else


def load_nasbench_graph(dataset: str, space: Space | None = None) -> Table:
    """The complete table of one dataset: 26,206 architectures, or 2,021 for ``proteins``.

    Arrays are cached under ``$GENNAS_CACHE`` (default ``~/.cache/gennas``), filed by the content of
    the source and the space's schema; a damaged cache is written again, an unwritable one warned of.

    Args:
        dataset: one of :data:`DATASETS`.
        space: the NASBenchGraph space that is searched (``proteins`` needs that variant); by default
            the one the table belongs to.

    Raises:
        UnknownNameError: no such dataset.
        ConfigError: the table belongs to another space.
        TableError: the package is missing, or its file is damaged or holds anything but numbers.

    Example:
        >>> table = load_nasbench_graph("cora")
        >>> len(table), round(table.optimum("test_accuracy")[0], 4)
        (26206, 0.8313)
    """
    if dataset not in DATASETS:
        raise UnknownNameError("dataset of NAS-Bench-Graph", dataset, DATASETS)
    own = NASBenchGraph("proteins" if dataset == "proteins" else "default")
    if space is not None and space.schema.fingerprint != own.schema.fingerprint:
        raise ConfigError(
            f"The table nasbench-graph/{dataset} belongs to the space {own.schema.name}, got {space.schema.name}: "
            "search that space, or choose a table of yours."
        )
    source = _source(dataset)
    content = _digest(source)
    file = cache_folder() / f"nasbench-graph-{dataset}-{content[:16]}-{own.schema.fingerprint}-v{_CACHE_VERSION}.npz"
    cached = _load(file)
    if cached is None:
        cached = _join(own, *read_bench(source), dataset)
        _save(file, *cached)
    keys, values = cached
    return Table(
        name=f"nasbench-graph/{dataset}",
        protocol=f"nasbench-graph/{dataset}/{content[:16]}",
        space=space or own,
        keys=tuple(keys.astype(str).tolist()),
        metrics=METRICS,
        columns=dict(zip(METRICS, values, strict=True)),
    )


def read_bench(file: Path) -> tuple[NDArray[np.int64], FloatArray]:
    """The official hashes ``(n,)`` and the values ``(4, n)`` in the order of :data:`METRICS` of a ``.bench`` file.

    Raises:
        TableError: not a mapping from integers to the four published numbers, or a value is not finite.
    """
    bench = load_numbers(file)
    if not isinstance(bench, dict) or not bench:
        raise TableError(f"{file.name}: expected a mapping of architectures, got {type(bench).__name__}.")
    try:
        hashes = np.array([_integer(number) for number in bench], dtype=np.int64)
        values = np.array([[float(row[name]) for name in _PUBLISHED_NAMES] for row in bench.values()]).T
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise TableError(
            f"{file.name}: expected integers with {', '.join(_PUBLISHED_NAMES)} each "
            f"({type(error).__name__}: {error}); install nas-bench-graph again."
        ) from error
    bad = np.argwhere(~np.isfinite(values.T))
    if len(bad):
        row, column = bad[0]
        raise TableError(
            f"{file.name}: architecture {hashes[row]}, {_PUBLISHED_NAMES[column]}: expected a finite number, "
            f"got {values[column, row]}."
        )
    return hashes, np.ascontiguousarray(values)


def cache_folder() -> Path:
    """Where fast copies of tables are kept: ``$GENNAS_CACHE``, by default ``~/.cache/gennas``."""
    return Path(os.environ.get("GENNAS_CACHE") or Path.home() / ".cache" / "gennas")


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{shown(value)} is not an integer")
    return value


def _source(dataset: str) -> Path:
    """The package's file, found without importing the package."""
    spec = importlib.util.find_spec("nas_bench_graph")
    if spec is None or not spec.submodule_search_locations:
        raise TableError("The tables of NAS-Bench-Graph need the package nas-bench-graph: pip install nas-bench-graph.")
    file = Path(next(iter(spec.submodule_search_locations))) / "light" / f"{dataset}.bench"
    if not file.is_file():
        raise TableError(
            f"{file} is missing; install the package again: pip install --force-reinstall nas-bench-graph."
        )
    return file


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _join(
    space: NASBenchGraph, hashes: NDArray[np.int64], values: FloatArray, dataset: str
) -> tuple[NDArray[np.bytes_], FloatArray]:
    """Our key for every official hash; the table must hold the whole space and nothing else."""
    everything = _all_architectures(space)
    official = space.official_hash(everything)
    order, theirs = np.argsort(official), np.argsort(hashes)
    if not np.array_equal(official[order], hashes[theirs]):
        extra, absent = np.setdiff1d(hashes, official), np.setdiff1d(official, hashes)
        raise TableError(
            f"nasbench-graph/{dataset}: expected one row for each of {len(official)} architectures, got {len(hashes)} "
            f"({len(extra)} unknown, {len(absent)} missing); install nas-bench-graph 1.4 again."
        )
    keys = np.array(everything.keys, dtype="S16")
    return keys[order], np.ascontiguousarray(values[:, theirs])


def _all_architectures(space: Space) -> Population:
    """Every distinct architecture, in the order of decisions: all continuations that are legal."""
    D = np.zeros((1, space.schema.num_decisions), dtype=np.int16)
    for t in range(D.shape[1]):
        rows, symbols = np.nonzero(space.legal(D, t))
        D = D[rows]
        D[:, t] = symbols
    return Population.from_decisions(space.schema, D)


def _load(file: Path) -> tuple[NDArray[np.bytes_], FloatArray] | None:
    """The cached keys and values, or None where there is no sound cache."""
    try:
        arrays = read_arrays(file, GIB, TableError, "a cached table")
        keys, values = arrays["keys"], arrays["values"]
    except (TableError, KeyError):
        return None
    sound = keys.dtype == "S16" and values.dtype == np.float64 and values.shape == (len(METRICS), len(keys))
    return (keys, values) if sound and np.isfinite(values).all() else None


def _save(file: Path, keys: NDArray[np.bytes_], values: FloatArray) -> None:
    """Write the cache in one step, so that a concurrent reader sees all or nothing."""
    try:
        with draft(file) as place:
            np.savez(place, keys=keys, values=values)
    except OSError as error:
        warnings.warn(
            f"Cannot cache the table in {file.parent} ({reason_of(error)}); it is read anew each time. "
            "Set GENNAS_CACHE to a writable folder.",
            RuntimeWarning,
            stacklevel=3,
        )
