"""Published tables as gennas reads them, for --table scripts/published_tables.py:NAME.

The files are expected in the folder GENNAS_DATA: ``nb101.npz`` (hash, n_vertices, adj_bits, ops,
test_mean), ``nb201.csv.gz`` and ``nb201_latency.csv.gz``, joined by their column ``index``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from gennas.eval.base import Metric
from gennas.eval.tables import Table, guess_direction
from gennas.graph import Population
from gennas.spaces.base import Space


def nasbench101(space: Space) -> Table:
    """Mean final test accuracy (percent) of all 423,624 NAS-Bench-101 cells."""
    published = np.load(_folder() / "nb101.npz")
    D = _cells(space, published["n_vertices"].astype(int), published["adj_bits"].astype(np.int64), published["ops"])
    starts = range(0, len(D), 50_000)
    parts = [space.canonical(Population.from_decisions(space.schema, D[i : i + 50_000])) for i in starts]
    keys = tuple(key for part in parts for key in part.keys)
    accuracy = {"test_mean": 100 * published["test_mean"].astype(np.float64)}
    return Table("nb101", "nb101/test_mean", space, keys, {"test_mean": Metric("test_mean", "max")}, accuracy)


def nasbench101_sample(space: Space, n: int, seed: int) -> tuple[Population, np.ndarray]:
    """Random NAS-Bench-101 cells and their mean final test accuracies (percent)."""
    published = np.load(_folder() / "nb101.npz")
    rows = np.random.default_rng(seed).permutation(len(published["test_mean"]))[:n]
    vertices, bits, operations = (published[name][rows] for name in ("n_vertices", "adj_bits", "ops"))
    D = _cells(space, vertices.astype(int), bits.astype(np.int64), operations)
    cells = space.canonical(Population.from_decisions(space.schema, D))
    return cells, 100 * published["test_mean"][rows].astype(np.float64)


def nasbench201_latency(space: Space) -> Table:
    """NAS-Bench-201's CIFAR-10 accuracies (percent) with the latencies (ms) of every device of HELP."""
    latency = pd.read_csv(_folder() / "nb201_latency.csv.gz")
    frame = pd.read_csv(_folder() / "nb201.csv.gz").merge(latency, on="index")
    devices = [f"latency_{device}" for device in latency.columns if device != "index"]
    frame = frame.rename(columns={device.removeprefix("latency_"): device for device in devices})
    columns = {name: frame[name].to_numpy(dtype=np.float64) for name in ("c10_val_200", "c10_test_200", *devices)}
    metrics = {name: Metric(name, guess_direction(name)) for name in columns}
    keys = tuple(space.from_texts(frame["arch"].tolist()).keys)
    return Table("nb201+latency", "nb201/c10/200+help-latency", space, keys, metrics, columns)


def _folder() -> Path:
    return Path(os.environ["GENNAS_DATA"])


def _cells(space: Space, vertices: np.ndarray, bits: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """Decisions of cells whose bit ``x + y (y - 1) / 2`` is the edge ``x → y``; the last vertex is the output."""
    D = np.zeros((len(vertices), space.schema.num_decisions), dtype=np.int16)
    rows, output = np.arange(len(vertices)), space.schema.num_nodes - 1
    for j, slot in enumerate(space.schema.slots):
        if slot.source is None:
            code = operations[:, slot.target - 1].astype(int)
            D[:, j] = np.where((slot.target < vertices - 1) & (code != 255), code + 1, 4)
        else:
            target = vertices - 1 if slot.target == output else np.full_like(rows, slot.target)
            edge = bits >> (slot.source + target * (target - 1) // 2) & 1
            D[:, j] = edge * ((slot.source < target) & ((slot.target == output) | (target < vertices - 1)))
    return D
