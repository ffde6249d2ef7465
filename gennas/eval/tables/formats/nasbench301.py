"""NAS-Bench-301: trainings of DARTS cells on CIFAR-10, from the JSON records ``results_N.json``.

Source: Zela et al., "Surrogate NAS Benchmarks: Going Beyond the Limited Search Spaces of Tabular NAS Benchmarks", ICLR
2022, arXiv 2008.09777. The surrogate models, pickles of old libraries that hold code, are not read.

A record holds ``optimized_hyperparamater_config`` (sic), ``budget`` (epochs), ``info[0]`` with ``val_accuracy``,
``train_accuracy_final`` and ``model_parameters``, ``test_accuracy`` and ``runtime`` (seconds), accuracies in per cent.
The configuration's keys begin with ``NetworkSelectorDatasetInfo:darts:``; ``edge_normal_0`` to ``edge_reduce_13`` name
operations, ``inputs_node_normal_3`` and the like two sources as ``0_1`` (node 2 always takes both inputs); the edges of
node 2 are 0 and 1, of node 3 from 2 on, of node 4 from 5, of node 5 from 9; ``layers`` and ``init_channels``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gennas.errors import TableError
from gennas.eval.tables.formats.base import Rows, Source, mean, number, read_json
from gennas.spaces.darts.genotype import PREFIX, Genotype

__all__ = ["is_nasbench301", "is_nasbench301_folder", "read_nasbench301"]

_CONFIG = "optimized_hyperparamater_config"
_FIDELITY = ("epochs", "layers", "init_channels")


def is_nasbench301(content: Any) -> bool:
    """Whether a JSON value is one record, or a list of them."""
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and _CONFIG in first


def is_nasbench301_folder(folder: Path) -> bool:
    """Whether a folder holds records, itself or in folders."""
    return next(folder.rglob("results*.json"), None) is not None


def read_nasbench301(source: Source, content: Any) -> Rows:
    """One row for each architecture: means over the records of the commonest fidelity.

    Records of another number of epochs, layers or channels are left out: they measure something else.

    Raises:
        TableError: another structure; the message names the file or the record.
    """
    found = list(_records(source, content))
    fidelity, n = Counter(tuple(row[k] for k in _FIDELITY) for _, row in found).most_common(1)[0]
    kept: dict[str, list[Mapping[str, Any]]] = {}
    for arch, row in found:
        if tuple(row[k] for k in _FIDELITY) == fidelity:
            kept.setdefault(arch, []).append(row)
    columns = dict.fromkeys(name for rows in kept.values() for row in rows for name in row if name not in _FIDELITY)
    cells = {name: [mean([row.get(name) for row in rows]) for rows in kept.values()] for name in columns}
    said = ", ".join(f"{value:g} {name}" for name, value in zip(_FIDELITY, fidelity, strict=True) if value is not None)
    others = (f"{len(found) - n:,} records of other fidelities than {said}",) if len(found) > n else ()
    repeats = [len(rows) for rows in kept.values()]
    return Rows(
        {"arch": list(kept), **cells, "repeats": repeats}, "darts", (*others, "learning curves, hyper-parameters")
    )


def _records(source: Source, content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(content, Path):
        files = sorted(content.rglob("results*.json"))
        for done, file in enumerate(files, 1):
            yield _record(file.name, read_json(source, file))
            source.progress(done, len(files))
        return
    for i, record in enumerate(content if isinstance(content, list) else [content], 1):
        yield _record(f"{source.name}: record {i}", record)


def _record(where: str, record: Any) -> tuple[str, Mapping[str, Any]]:
    """The architecture and the numbers of a record."""
    try:
        config, info = record[_CONFIG], record["info"][0]
        row = {
            "val_accuracy": number(info["val_accuracy"]),
            "test_accuracy": number(record.get("test_accuracy")),
            "train_accuracy": number(info.get("train_accuracy_final")),
            "params": number(info.get("model_parameters")),
            "train_seconds": number(record.get("runtime")),
            "epochs": number(record.get("budget")),
            "layers": number(config.get(f"{PREFIX}layers")),
            "init_channels": number(config.get(f"{PREFIX}init_channels")),
        }
        return str(Genotype.of_config(config)), row
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise TableError(
            f"{where}: expected a record of NAS-Bench-301 with {_CONFIG} and info ({type(error).__name__}: {error})."
        ) from error
