"""What a directory says of the supernet in it: ``supernet.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gennas.errors import CheckpointError, shown
from gennas.eval.base import Fidelity

__all__ = ["RECORD_FILE", "SupernetRecord", "headline", "line_of", "read_record"]

RECORD_FILE = "supernet.json"
_SHORT = {
    "train_loss": "loss",
    "alpha_entropy": "entropy",
    "alpha_curvature": "curvature",
    "skip_share": "skips",
    "path_fairness": "fairness",
}


@dataclass(frozen=True)
class SupernetRecord:
    """What a trained supernet is, and what it cost.

    Args:
        space: identity of the space.
        task: name and split of the task.
        method: name of the method, with its options.
        recipe: settings of the training.
        fidelity: of the training; networks that inherit have its width and input size.
        seed: of the training.
        epochs: that were trained.
        seconds: wall time of the training, that of interrupted ones included.
        digest: of the weights.
        curves: by name, one value per epoch: losses, scores, and figures of the method, None where it had none yet.
        settings: how space and task are made again, where whoever trained said so.
    """

    space: str
    task: str
    method: str
    recipe: Mapping[str, Any]
    fidelity: Mapping[str, Any]
    seed: int
    epochs: int
    seconds: float
    digest: str
    curves: Mapping[str, Any]
    settings: Mapping[str, Any]


def headline(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures of an epoch without those of single decisions.

    Example:
        >>> headline({"alpha_entropy": 1.5, "alpha_entropy/00_edge_0-1": 1.6, "skip_share": 0.25})
        {'alpha_entropy': 1.5, 'skip_share': 0.25}
    """
    return {name: value for name, value in figures.items() if "/" not in name}


def line_of(figures: Mapping[str, float]) -> str:
    """The figures of an epoch in a line for a terminal of 80 columns.

    Names are short, scores are of the validation part, single decisions are left out; the validation loss stands only
    where there is no score, and ``collapsed`` only once it is so.

    Example:
        >>> line_of({"train_loss": 2.3328, "val_loss": 2.31, "val_accuracy": 0.5, "alpha_entropy": 1.609})
        'loss 2.33 · accuracy 0.5 · entropy 1.61'
    """
    found = headline(figures)
    scores = [name for name in found if name.startswith("val_") and name != "val_loss"]
    left_out = {*(["val_loss"] if scores else []), *([] if found.get("collapsed") else ["collapsed"])}
    short = _SHORT | {name: name.removeprefix("val_") for name in scores}
    return " · ".join(f"{short.get(n, n)} {value:.3g}" for n, value in found.items() if n not in left_out)


def read_record(directory: str | Path) -> SupernetRecord:
    """Read what a directory says of its supernet.

    Raises:
        CheckpointError: it holds none, or it is damaged.
    """
    path = Path(directory) / RECORD_FILE
    try:
        found = json.loads(path.read_text())
        record = SupernetRecord(**{field.name: found[field.name] for field in fields(SupernetRecord)})
        Fidelity(**record.fidelity)
        if not (isinstance(record.seconds, (int, float)) and 0 <= record.seconds < float("inf")):
            raise ValueError(f"seconds are {record.seconds!r}")
        if not all(isinstance(text, str) for text in (record.space, record.task, record.method, record.digest)):
            raise TypeError("its names are no texts")
        if not all(v is None or isinstance(v, (int, float)) for curve in record.curves.values() for v in curve):
            raise TypeError("its curves are no numbers")
    except FileNotFoundError as error:
        raise CheckpointError(
            f"Expected a trained supernet in {directory}, found no {RECORD_FILE}: train one with `gennas "
            "train-supernet --out DIR`, or let an interrupted training come to its end with the same command."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {shown(str(error))}); train anew."
        ) from error
    return record
