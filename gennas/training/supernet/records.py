"""What a directory says of the supernet in it: ``supernet.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gennas.errors import CheckpointError, shown
from gennas.eval.base import Fidelity

__all__ = ["RECORD_FILE", "SupernetRecord", "read_record"]

RECORD_FILE = "supernet.json"


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
    except FileNotFoundError as error:
        raise CheckpointError(
            f"Expected a trained supernet in {directory}, found no {RECORD_FILE}: train one with `gennas "
            "train-supernet --out DIR`, or let an interrupted training come to its end with the same command."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {shown(str(error))}); train anew."
        ) from error
    return record
