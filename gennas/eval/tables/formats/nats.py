"""NATS-Bench's topology space and NAS-Bench-201: 15,625 cells on three datasets, from the official files.

Sources: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021,
arXiv 2009.00437; Dong and Yang, "NAS-Bench-201", ICLR 2020, arXiv 2001.00326.

Three packings of the same records: the folder ``NATS-tss-v1_0-3ffb9-simple`` with ``meta.pickle.pbz2`` and a
``000000.pickle.pbz2`` for each architecture, ``{"12": record, "200": record}``; the file
``NATS-tss-v1_0-3ffb9.pickle.pbz2`` and NAS-Bench-201's ``NAS-Bench-201-v1_1-096897.pth``, each
``{"meta_archs": [text], "arch2infos": {index: records}, "evaluated_indexes": …}``, the latter with ``less`` and
``full`` for 12 and 200 epochs. A record holds ``arch_index``, ``arch_str``, ``dataset_seed`` (seeds by dataset) and
``all_results``, by ``(dataset, seed)``: ``epochs``, ``params`` (millions), ``flop`` (millions), ``latency`` (seconds,
a list), ``train_acc1es`` and ``train_times`` by epoch, ``eval_acc1es`` by ``"set@epoch"``. The last epoch counts.
Validation accuracies of CIFAR-10 are those of ``cifar10-valid`` on ``x-valid``, its test accuracies those of
``cifar10`` on ``ori-test``; the other datasets have ``x-valid`` and ``x-test``. Costs are of the dataset's own record;
some parameters and FLOPs in the records of 200 epochs are known to be wrong (issue 36 of NATS-Bench's repository), so
take those of 12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gennas.errors import TableError, shown
from gennas.eval.tables.formats.base import Rows, Source, column_name, mean, number
from gennas.eval.tables.formats.pickles import load_pickle
from gennas.spaces.nasbench201.space import NASBench201

__all__ = ["is_nats", "is_nats_folder", "read_nats", "read_nats_folder"]

_FILE = re.compile(r"(\d{1,6})\.pickle\.pbz2")
_BUDGETS = {"less": "12", "full": "200"}
# Column, official dataset and official set of each dataset as it is spoken of.
_ACCURACIES = {
    "cifar10": (("val_accuracy", "cifar10-valid", "x-valid"), ("test_accuracy", "cifar10", "ori-test")),
    "cifar100": (("val_accuracy", "cifar100", "x-valid"), ("test_accuracy", "cifar100", "x-test")),
    "ImageNet16-120": (("val_accuracy", "ImageNet16-120", "x-valid"), ("test_accuracy", "ImageNet16-120", "x-test")),
}
_COSTS = {"params": "params_m", "flop": "flops_m", "latency": "latency_s"}


def is_nats(content: Any) -> bool:
    """Whether an unpickled object is the whole benchmark."""
    return isinstance(content, dict) and {"meta_archs", "arch2infos"} <= content.keys()


def is_nats_folder(folder: Path) -> bool:
    """Whether a folder holds a file for each architecture."""
    return any(_FILE.fullmatch(file.name) for file in folder.iterdir())


def read_nats(source: Source, content: Mapping[str, Any]) -> Rows:
    """One row for each architecture of a file that holds them all.

    Raises:
        TableError: another structure, or the size space, which gennas has not.
    """
    infos = content["arch2infos"]
    if not isinstance(infos, dict) or not infos:
        raise TableError(f"{source.name}: expected records by index in 'arch2infos', got {type(infos).__name__}.")
    return _rows(source, ((index, infos[index], source.name) for index in sorted(infos, key=str)), len(infos))


def read_nats_folder(source: Source, folder: Path) -> Rows:
    """One row for each architecture of a folder; one file is held in memory at a time.

    Raises:
        TableError: as :func:`read_nats`; the message names the file.
    """
    files = sorted(file for file in folder.iterdir() if _FILE.fullmatch(file.name))
    found = ((int(file.name.partition(".")[0]), load_pickle(source, file), file.name) for file in files)
    return _rows(source, found, len(files))


def _rows(source: Source, records: Iterator[tuple[Any, Any, str]], total: int) -> Rows:
    source.check_dataset(list(_ACCURACIES))
    rows = []
    for done, (index, budgets, file) in enumerate(records, 1):
        try:
            rows.append({"hash": f"#{index}", **_row(source, budgets)})
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise TableError(
                f"{file}: architecture {index}: expected a record of NATS-Bench ({type(error).__name__}: {error})."
            ) from error
        except TableError as error:
            raise TableError(f"{file}: {error}") from error
        source.progress(done, total)
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [row.get(name) for row in rows] for name in ("arch", *(n for n in names if n != "arch"))}
    return Rows(cells, NASBench201.name, ("losses, epochs before the last, and weights",))


def _row(source: Source, budgets: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of one architecture."""
    found: dict[str, Any] = {}
    for key, record in budgets.items():
        budget, text = _BUDGETS.get(str(key), str(key)), record["arch_str"]
        if re.fullmatch(r"\d+(:\d+)+", str(text)):
            raise TableError(
                f"{shown(text)} belongs to NATS-Bench's size space (channels of five stages), and gennas has no such "
                "space; convert a file of the topology space (NATS-tss)."
            )
        if found.setdefault("arch", str(text)) != str(text):
            raise TableError(f"one record is of two architectures, {found['arch']} and {text}.")
        for dataset in filter(source.wants, _ACCURACIES):
            found |= _of_dataset(source, record, dataset, budget)
    if "arch" not in found:
        raise TableError("an architecture without records.")
    return found


def _of_dataset(source: Source, record: Mapping[str, Any], dataset: str, budget: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    prefix = source.prefix(dataset)
    for column, official, part in _ACCURACIES[dataset]:
        values = {seed: _last(trial, part) for seed, trial in _trials(record, official)}
        _note(found, f"{prefix}{column}_{budget}", values, source.seeds)
    for column, official in (("train_seconds", dataset), ("train_accuracy", dataset)):
        values = {seed: _training(trial, column) for seed, trial in _trials(record, official)}
        _note(found, f"{prefix}{column}_{budget}", values, source.seeds)
    for name, column in _COSTS.items():
        costs = [_cost(trial.get(name)) for _, trial in _trials(record, dataset)]
        if any(cost is not None for cost in costs):
            found[f"{prefix}{column}_{budget}"] = mean(costs)
    return found


def _note(found: dict[str, Any], name: str, values: Mapping[Any, float | None], seeds: bool) -> None:
    """The mean over the seeds, and each seed's value."""
    if not values:
        return
    found[name] = mean(list(values.values()))
    if seeds:
        found |= {f"{name}_seed{column_name(str(seed))}": value for seed, value in values.items()}


def _trials(record: Mapping[str, Any], dataset: str) -> list[tuple[Any, Mapping[str, Any]]]:
    """The trainings on a dataset, with their seeds."""
    return [(seed, record["all_results"][dataset, seed]) for seed in record["dataset_seed"].get(dataset, ())]


def _last(trial: Mapping[str, Any], part: str) -> float | None:
    return number(trial["eval_acc1es"].get(f"{part}@{trial['epochs'] - 1}"))


def _training(trial: Mapping[str, Any], column: str) -> float | None:
    """Seconds of all epochs, or the last epoch's accuracy on the training set."""
    if column == "train_accuracy":
        return number(trial["train_acc1es"].get(trial["epochs"] - 1)) if trial["train_acc1es"] else None
    seconds = [number(value) for value in (trial.get("train_times") or {}).values()]
    return sum(s for s in seconds if s is not None) if seconds and None not in seconds else None


def _cost(value: Any) -> float | None:
    """A number, or the mean of a list of them; -1 stands for what was not measured."""
    found = mean([number(v) for v in value]) if isinstance(value, (list, tuple)) else number(value)
    return found if found is None or found >= 0 else None
