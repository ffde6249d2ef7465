"""HW-NAS-Bench: latency and energy of the cells of NAS-Bench-201 on six devices, from the official pickle.

Source: Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR 2021,
arXiv 2103.10584. The file ``HW-NAS-Bench-v1_0.pickle`` of the authors' repository is read by
:func:`~gennas.eval.tables.unpickle.load_numbers`; their code is not needed. Its second half, sums of
operators of FBNet's space, is left alone: gennas has no such space.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, TableError, UnknownNameError, shown
from gennas.eval.base import Metric
from gennas.eval.tables.base import Table
from gennas.eval.tables.nasbench_graph import cache_folder
from gennas.eval.tables.unpickle import load_numbers
from gennas.graph import Population
from gennas.spaces.base import Space
from gennas.spaces.nasbench201.space import NASBench201

__all__ = ["DATASETS", "FILE_NAME", "METRICS", "load_hw_nas_bench", "read_hw_nas_bench"]

FloatArray = NDArray[np.float64]

FILE_NAME = "HW-NAS-Bench-v1_0.pickle"
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
_COSTS = (
    ("edgegpu_latency", "ms", "NVIDIA Jetson TX2"),
    ("edgegpu_energy", "mJ", "NVIDIA Jetson TX2"),
    ("raspi4_latency", "ms", "Raspberry Pi 4"),
    ("edgetpu_latency", "ms", "Google edge TPU; not measured for every architecture"),
    ("pixel3_latency", "ms", "Google Pixel 3"),
    ("eyeriss_latency", "ms", "Eyeriss accelerator, simulated"),
    ("eyeriss_energy", "mJ", "Eyeriss accelerator, simulated"),
    ("fpga_latency", "ms", "Xilinx ZC706 FPGA"),
    ("fpga_energy", "mJ", "Xilinx ZC706 FPGA"),
)
METRICS: Mapping[str, Metric] = {
    **{name: Metric(name, "min", unit, text, (0.0, math.inf)) for name, unit, text in _COSTS},
    "eyeriss_arithmetic_intensity": Metric(
        "eyeriss_arithmetic_intensity", "max", "", "operations per access to memory, Eyeriss, simulated"
    ),
}


def load_hw_nas_bench(
    dataset: str, space: Space | None = None, *, path: Path | None = None, metrics: Sequence[str] | None = None
) -> Table:
    """The table of one dataset; its rows are those where every metric was measured.

    Args:
        dataset: one of :data:`DATASETS`.
        space: the NASBench201 space that is searched.
        path: the official pickle; by default :data:`FILE_NAME` in ``$GENNAS_CACHE`` (``~/.cache/gennas``).
        metrics: names among :data:`METRICS`; by default those that were measured for all architectures.
            An architecture that could not run on a device stands as -1 in the file (4,699 on the edge TPU).

    Raises:
        UnknownNameError: no such dataset or metric.
        ConfigError: the table belongs to another space.
        TableError: the file is missing, damaged, of another form, or holds anything but numbers.
    """
    own = NASBench201()
    if space is not None and space.schema.fingerprint != own.schema.fingerprint:
        raise ConfigError(
            f"HW-NAS-Bench belongs to the space {own.schema.name}, got {space.schema.name}: "
            "search that space, or choose a table of yours."
        )
    file = path or cache_folder() / FILE_NAME
    texts, columns = read_hw_nas_bench(file, dataset)
    for name in metrics or ():
        if name not in columns:
            raise UnknownNameError("metric", name, columns)
    measured = {name: column > 0 for name, column in columns.items()}
    names = list(metrics or (name for name, there in measured.items() if there.all()))
    rows = np.logical_and.reduce([np.ones(len(texts), dtype=bool), *(measured[name] for name in names)])
    archs = _read_texts(file, own, texts)
    if space is not None:  # of cells that are one architecture there, the one that stands for them
        rows &= np.array(space.canonical(archs).keys) == np.array(archs.keys)
    archs = archs[np.flatnonzero(rows)]
    return Table(
        name=f"hw-nas-bench/{dataset}",
        protocol=f"hw-nas-bench/{dataset}/{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}",
        space=space or own,
        keys=tuple(archs.keys),
        metrics={name: METRICS[name] for name in names},
        columns={name: columns[name][rows] for name in names},
        archs=archs,
    )


def read_hw_nas_bench(file: Path, dataset: str) -> tuple[list[str], dict[str, FloatArray]]:
    """Architecture strings ``n`` and the values ``(n,)`` of every metric, as they stand in the official pickle.

    Raises:
        UnknownNameError: no such dataset.
        TableError: the file is missing, damaged or of another form.
    """
    if dataset not in DATASETS:
        raise UnknownNameError("dataset of HW-NAS-Bench", dataset, DATASETS)
    if not file.is_file():
        raise TableError(
            f"{file} is missing: download {FILE_NAME} from the repository of HW-NAS-Bench and put it there, "
            "or set GENNAS_CACHE to the folder that holds it."
        )
    content = load_numbers(file)
    try:
        part = content[NASBench201.name][dataset]
        configs = _in_order(part["config"])
        texts = [str(config["arch_str"]) for config in configs]
        columns = {name: np.array([float(v) for v in _in_order(part[name])]) for name in METRICS if name in part}
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise TableError(
            f"{file.name}: expected {NASBench201.name!r} → {dataset!r} → lists of numbers and of configurations with "
            f"'arch_str' ({type(error).__name__}: {error}); download it again."
        ) from error
    _check(file, texts, columns)
    return texts, columns


def _in_order(values: Any) -> list[Any]:
    """The entries of a list, or of a mapping from 0, 1, 2 and so on."""
    return [values[i] for i in range(len(values))]


def _check(file: Path, texts: list[str], columns: Mapping[str, FloatArray]) -> None:
    if not texts or not columns:
        raise TableError(f"{file.name}: expected architectures and metrics, got {len(texts)} and {len(columns)}.")
    for name, column in columns.items():
        if column.shape != (len(texts),):
            raise TableError(f"{file.name}: expected {len(texts)} values of {shown(name)}, got {len(column)}.")
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise TableError(
                f"{file.name}: architecture {bad[0]}, {name}: expected a finite number, got {column[bad[0]]}."
            )


def _read_texts(file: Path, space: NASBench201, texts: list[str]) -> Population:
    try:
        return space.from_texts(texts)
    except InvalidArchitectureError as error:
        raise TableError(f"{file.name}: {error}") from error
