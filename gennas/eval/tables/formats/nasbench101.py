"""NAS-Bench-101: 423,624 cells trained on CIFAR-10 three times at each of four budgets.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019, arXiv 1902.09635;
files ``nasbench_full.tfrecord`` (4, 12, 36 and 108 epochs) and ``nasbench_only108.tfrecord``.

Each record is a JSON list ``[module_hash, epochs, raw_adjacency, raw_operations, raw_metrics]``: the MD5 name of the
cell, the budget, ``v * v`` characters ``0`` and ``1`` row by row, ``v`` operations joined by commas, and a base64 text
of the protocol buffer ``ModelMetrics`` (field 1 repeated ``EvaluationData``, at the start, half way and at the end of
the training; 2 ``trainable_parameters``; 3 ``total_time``). ``EvaluationData`` holds doubles: 1 ``current_epoch``,
2 ``training_time`` in seconds, 3 ``train_accuracy``, 4 ``validation_accuracy``, 5 ``test_accuracy``.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError, TableError, shown
from gennas.eval.tables.formats.base import Rows, Source, too_large
from gennas.eval.tables.formats.tfrecord import read_records
from gennas.spaces.nasbench101.space import NASBench101

__all__ = ["cell_texts", "read_nasbench101"]

SIZE = 423_624
"""Cells of the benchmark."""
MEASURES = ("training_seconds", "train_accuracy", "validation_accuracy", "test_accuracy")
_OPERATIONS = {"conv3x3-bn-relu": 0, "conv1x1-bn-relu": 1, "maxpool3x3": 2}
# As all writers write it: five doubles in the order of their numbers; what follows (a path) does not matter.
_PLAIN = struct.Struct("<BdBdBdBdBd")
_TAGS = (0x09, 0x11, 0x19, 0x21, 0x29)


def read_nasbench101(source: Source) -> Rows:
    """One row for each cell: its text in gennas' form, its MD5 name, its parameters and what was measured.

    Columns are ``validation_accuracy_108`` and the like, the mean over the repeats of a budget, and
    ``validation_accuracy_108_seed0`` and the like for each repeat, in the order of the file.

    Raises:
        TableError: damaged, or of another structure; the message names the record.
    """
    total = source.path.stat().st_size
    if total > source.max_bytes:
        raise too_large(source.path, source.max_bytes)
    cells: dict[str, int] = {}
    parameters, where, epochs = array("q"), array("l"), array("l")
    values = array("d")
    specs: list[tuple[str, str]] = []
    for record, payload in enumerate(read_records(source.path, lambda done: source.progress(done, total)), 1):
        try:
            name, budget, adjacency, operations, metrics = json.loads(payload)
            final, count = _final(base64.b64decode(metrics, validate=True))
            row = cells.setdefault(str(name), len(cells))
            if row >= SIZE:
                raise ValueError(f"more than {SIZE:,} different cells")
            if row == len(specs):
                specs.append((str(adjacency), str(operations)))
                parameters.append(count)
            where.append(row)
            epochs.append(int(budget))
            values.extend(final)
        except (ValueError, TypeError, IndexError, struct.error, OverflowError, RecursionError) as error:
            raise TableError(
                f"{source.name}: record {record:,}: expected [hash, epochs, adjacency, operations, metrics] of "
                f"NAS-Bench-101 ({str(error)[:120]})."
            ) from error
    if not cells:
        raise TableError(f"{source.name}: no records.")
    columns = _columns(
        np.array(where), np.array(epochs), np.array(values).reshape(-1, len(MEASURES)), len(cells), source.seeds
    )
    return Rows(
        {
            "arch": cell_texts(source, specs),
            "hash": list(cells),
            "trainable_parameters": np.array(parameters),
            **columns,
        },
        NASBench101.name,
        ("measurements at the start and half way of each training",),
    )


def _final(message: bytes) -> tuple[tuple[float, ...], int]:
    """What was measured at the end of a training, in the order of :data:`MEASURES`, and the parameters."""
    evaluations, count = [], 0
    for number, value in _fields(message):
        if number == 1:
            evaluations.append(value)
        elif number == 2:
            count = int(value)
    last = evaluations[2]
    if len(last) >= _PLAIN.size and tuple((p := _PLAIN.unpack_from(last))[::2]) == _TAGS:
        found = p[3::2]
    else:
        by_number = dict(_fields(last))
        found = tuple(by_number.get(number, 0.0) for number in (2, 3, 4, 5))
    if not all(isinstance(value, float) and math.isfinite(value) for value in found):
        raise ValueError("expected finite measurements")
    return found, count


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a protocol buffer's fields: varints, doubles, floats and byte strings."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            yield number, struct.unpack_from("<d" if wire == 1 else "<f", message, at)[0]
            at += width
        elif wire == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("metrics end within a field")
            yield number, message[at : at + length]
            at += length
        else:
            raise ValueError(f"metrics hold a field of unknown kind {wire}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("metrics hold a number of more than ten bytes")


def cell_texts(source: Source, specs: Sequence[tuple[str, str]]) -> list[str]:
    """The cells in gennas' text form, from adjacencies row by row and operations joined by commas.

    Raises:
        TableError: one is no cell of the benchmark.
    """
    space, found = NASBench101(), [""] * len(specs)
    groups: dict[int, list[int]] = {}
    for row, (_, operations) in enumerate(specs):
        groups.setdefault(operations.count(",") + 1, []).append(row)
    for vertices, rows in groups.items():
        matrices, labels = [], []
        for row in rows:
            bits, names = specs[row][0], specs[row][1].split(",")
            if len(bits) != vertices**2 or set(bits) - {"0", "1"} or names[0] != "input" or names[-1] != "output":
                raise TableError(
                    f"{source.name}: expected {vertices} x {vertices} zeros and ones, got {shown(bits[:60])}."
                )
            unknown = [name for name in names[1:-1] if name not in _OPERATIONS]
            if unknown:
                raise TableError(
                    f"{source.name}: expected operations {', '.join(_OPERATIONS)}, got {shown(unknown[0][:40])}."
                )
            matrices.append(np.frombuffer(bits.encode(), dtype=np.uint8).reshape(vertices, vertices) - 48)
            labels.append([_OPERATIONS[name] for name in names[1:-1]])
        try:
            found_cells = space.from_matrices(
                np.array(matrices), np.array(labels, dtype=np.int64).reshape(len(rows), vertices - 2)
            )
        except InvalidArchitectureError as error:
            raise TableError(f"{source.name}: a cell of {vertices} vertices: {error}") from error
        for row, arch in zip(rows, found_cells, strict=True):
            found[row] = space.to_text(arch)
    return found


def _columns(
    where: NDArray[np.integer], epochs: NDArray[np.integer], values: NDArray[np.float64], n: int, seeds: bool
) -> Mapping[str, NDArray[np.float64]]:
    """Means over repeats, and each repeat, of every budget; NaN where a cell was not trained so."""
    found: dict[str, NDArray[np.float64]] = {}
    for budget in np.unique(epochs):
        some = np.flatnonzero(epochs == budget)
        some = some[np.argsort(where[some], kind="stable")]
        rows = where[some]
        starts = np.r_[0, np.flatnonzero(np.diff(rows)) + 1]
        counts = np.diff(np.r_[starts, len(rows)])
        repeat = np.arange(len(rows)) - np.repeat(starts, counts)
        for m, measure in enumerate(MEASURES):
            column = np.full(n, np.nan)
            column[rows[starts]] = np.add.reduceat(values[some, m], starts) / counts
            found[f"{measure}_{budget}"] = column
            for seed in range(int(counts.max())) if seeds and counts.max() > 1 else ():
                single = np.full(n, np.nan)
                single[rows[repeat == seed]] = values[some[repeat == seed], m]
                found[f"{measure}_{budget}_seed{seed}"] = single
    return found
