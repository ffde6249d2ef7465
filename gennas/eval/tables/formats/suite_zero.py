"""NAS-Bench-Suite-Zero: scores of 13 zero-cost proxies and validation accuracies, from ``zc_SPACE.json``.

Source: Krishnakumar et al., "NAS-Bench-Suite-Zero: Accelerating Research on Zero Cost Proxies", NeurIPS 2022 (datasets
and benchmarks), arXiv 2210.03230.

The structure is ``{dataset: {architecture: {"val_accuracy": number, proxy: {"score": number, "time": seconds}}}}``.
Architectures are tuples as text. NAS-Bench-201: six operations of the edges 1-2, 1-3, 1-4, 2-3, 2-4, 3-4 as indices of
skip, none, 3x3, 1x1, average pooling. NAS-Bench-101: the ``v * v`` adjacency, then ``v`` indices of input, output,
max-pooling, 1x1, 3x3. TransNAS-Bench-101: six digits of the cell's text (micro) or up to six modules, then zeros
(macro). DARTS: two tuples of eight pairs ``(source, operation)``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from gennas.errors import TableError, shown
from gennas.eval.tables.formats.base import Rows, Source, number
from gennas.eval.tables.formats.nasbench101 import cell_texts
from gennas.spaces.darts.genotype import OPERATIONS as DARTS_OPERATIONS
from gennas.spaces.darts.genotype import Genotype

__all__ = ["is_suite_zero", "read_suite_zero"]

_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_OPS_201 = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_OPS_101 = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
_TASKS = frozenset(("class_scene", "class_object", "room_layout", "jigsaw", "segmentsemantic", "normal", "autoencoder"))


def is_suite_zero(content: Any) -> bool:
    """Whether a JSON object has architectures by dataset, with an accuracy or scores."""
    if not isinstance(content, dict) or not content:
        return False
    archs = next(iter(content.values()))
    entry = next(iter(archs.values())) if isinstance(archs, dict) and archs else None
    if not isinstance(entry, dict):
        return False
    return "val_accuracy" in entry or any(isinstance(v, dict) and "score" in v for v in entry.values())


def read_suite_zero(source: Source, content: dict[str, Any]) -> Rows:
    """One row for each architecture, in the text form of its benchmark.

    Columns are ``cifar10_val_accuracy`` and ``cifar10_synflow``, or, where one dataset is chosen, ``val_accuracy`` and
    ``synflow``.

    Raises:
        TableError: another structure.
    """
    source.check_dataset(list(content))
    datasets = [name for name in content if source.wants(name)]
    rows: dict[str, dict[str, float | None]] = {}
    for done, name in enumerate(datasets, 1):
        if not isinstance(content[name], dict):
            raise TableError(
                f"{source.name}: dataset {shown(name)}: expected architectures, got {shown(content[name])}."
            )
        for key, entry in content[name].items():
            if not isinstance(entry, dict):
                raise TableError(f"{source.name}: architecture {key[:60]}: expected scores, got {shown(entry)}.")
            rows.setdefault(key, {}).update(_scores(source.prefix(name), entry))
        source.progress(done, len(datasets))
    keys = list(rows)
    space, texts = _texts(source, keys, list(content))
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    cells = {column: [rows[key].get(column) for key in keys] for column in columns}
    return Rows({"arch": texts, "hash": keys, **cells}, space, ("seconds that each proxy took",))


def _scores(prefix: str, entry: dict[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, value in entry.items():
        if isinstance(value, dict) and "score" in value:
            found[f"{prefix}{name}"] = number(value["score"])
        elif name != "id" and isinstance(value, (int, float)):
            found[f"{prefix}{name}"] = number(value)
    return found


def _texts(source: Source, keys: Sequence[str], datasets: Sequence[str]) -> tuple[str, list[str]]:
    """The space, and the architectures in its text form."""
    try:
        tuples = [ast.literal_eval(key) for key in keys]
        if not all(isinstance(t, tuple) and t for t in tuples):
            raise ValueError(f"expected tuples, got {shown(keys[0][:60])}")
        if all(isinstance(t[0], tuple) for t in tuples):
            return "darts", [_darts(t) for t in tuples]
        if not all(isinstance(n, int) and 0 <= n <= 9 for t in tuples for n in t):
            raise ValueError(f"expected small whole numbers, got {shown(keys[0][:60])}")
        if _TASKS & set(datasets):
            micro = all(len(t) == 6 for t in tuples) and not any(4 in t for t in tuples)
            micro = micro and ("macro" not in source.name) and any(_has_gap(t) for t in tuples)
            read: Callable[[Sequence[int]], str] = _micro if micro else _macro
            return f"transnas-{'micro' if micro else 'macro'}", [read(t) for t in tuples]
        if all(len(t) == 6 for t in tuples):
            return "nasbench201", [_nasbench201(t) for t in tuples]
        return "nasbench101", cell_texts(source, [_nasbench101(t) for t in tuples])
    except (ValueError, SyntaxError, IndexError, TypeError, RecursionError, MemoryError) as error:
        raise TableError(f"{source.name}: cannot read an architecture ({str(error)[:120]}).") from error


def _has_gap(modules: Sequence[int]) -> bool:
    """Whether a zero stands before another number, which no macro architecture has."""
    return any(a == 0 != b for a, b in pairwise(modules))


def _nasbench201(indices: Sequence[int]) -> str:
    operations = {edge: _OPS_201[i] for edge, i in zip(_EDGES, indices, strict=True)}
    return "+".join("".join(f"|{operations[u, v]}~{u}" for u in range(v)) + "|" for v in (1, 2, 3))


def _nasbench101(numbers: Sequence[int]) -> tuple[str, str]:
    vertices = math.isqrt(len(numbers))
    if vertices * (vertices + 1) != len(numbers):
        raise ValueError(f"expected v * v + v numbers, got {len(numbers)}")
    bits = "".join(map(str, numbers[: vertices**2]))
    return bits, ",".join(_OPS_101[i] for i in numbers[vertices**2 :])


def _micro(digits: Sequence[int]) -> str:
    a, b, c, d, e, f = digits
    return f"64-41414-{a}_{b}{c}_{d}{e}{f}"


def _macro(modules: Sequence[int]) -> str:
    return f"64-{''.join(str(m) for m in modules if m)}-basic"


def _darts(cells: Sequence[Sequence[tuple[int, int]]]) -> str:
    normal, reduce = (tuple((DARTS_OPERATIONS[op], source) for source, op in cell) for cell in cells)
    return str(Genotype(normal, reduce))
