"""A trained supernet as a directory: ``supernet.json`` says what it is, ``supernet.safetensors`` holds the weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from gennas.errors import CheckpointError, reason_of, shown
from gennas.eval.base import Fidelity
from gennas.runtime.files import write_atomically
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.checkpoint import load_module, save_module
from gennas.training.fidelity import scale_space, scale_spec
from gennas.training.supernet.base import Supernet
from gennas.training.supernet.methods import make_supernet

__all__ = ["SupernetRecord", "load_supernet", "read_record", "save_supernet"]

_RECORD, _WEIGHTS = "supernet.json", "supernet.safetensors"


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
        curves: by name, one value per epoch.
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


def save_supernet(supernet: Supernet, record: SupernetRecord, directory: Path) -> None:
    """Write weights, then the record, which says that they are whole.

    Raises:
        CheckpointError: they cannot be written.
    """
    save_module(supernet.shared, directory / _WEIGHTS)
    whole = asdict(record) | {"digest": _digest(directory)}
    try:
        write_atomically(directory / _RECORD, json.dumps(whole, indent=2) + "\n")
    except OSError as error:
        raise CheckpointError(f"The supernet could not be written to {directory}: {reason_of(error)}.") from error


def read_record(directory: str | Path) -> SupernetRecord:
    """Read what a directory says of its supernet.

    Raises:
        CheckpointError: it holds none, or it is damaged.
    """
    path = Path(directory) / _RECORD
    try:
        found = json.loads(path.read_text())
        record = SupernetRecord(**{field.name: found[field.name] for field in fields(SupernetRecord)})
        Fidelity(**record.fidelity)
        if not (isinstance(record.seconds, (int, float)) and 0 <= record.seconds < float("inf")):
            raise ValueError(f"seconds are {record.seconds!r}")
    except FileNotFoundError as error:
        raise CheckpointError(
            f"Expected a trained supernet in {directory}, found no {_RECORD}: train one with `gennas train-supernet "
            "--out DIR`, or let an interrupted training come to its end with the same command."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {shown(str(error))}); train anew."
        ) from error
    return record


def load_supernet(directory: str | Path, space: Space, spec: TaskSpec) -> Supernet:
    """The supernet of a directory, at the fidelity that it was trained at, in evaluation mode.

    Args:
        directory: of the supernet.
        space: that it is of.
        spec: of its task, at full size.

    Raises:
        CheckpointError: it is damaged, or of another space.
    """
    directory, record = Path(directory), read_record(directory)
    if record.space != space.identity:
        raise CheckpointError(
            f"{directory} holds the supernet of another space: expected {shown(space.identity, 200)}, found "
            f"{shown(record.space, 200)}. Give the space and the options that it was trained with."
        )
    fidelity = Fidelity(**record.fidelity)
    with seeded(0):
        scaled = scale_space(space, fidelity.width, fidelity.depth)
        supernet = make_supernet(record.method, scaled, scale_spec(spec, fidelity))
    load_module(supernet.shared, directory / _WEIGHTS)
    if _digest(directory) != record.digest:
        raise CheckpointError(f"{directory / _WEIGHTS} is not the file that {_RECORD} describes; train anew.")
    return supernet.eval()


def _digest(directory: Path) -> str:
    """Sixteen hexadecimal digits of the weights' file."""
    with (directory / _WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
