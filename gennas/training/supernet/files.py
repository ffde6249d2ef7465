"""A trained supernet as a directory: ``supernet.json`` says what it is, ``supernet.safetensors`` holds the weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

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
from gennas.training.supernet.records import RECORD_FILE, SupernetRecord, read_record

__all__ = ["load_supernet", "save_supernet"]

_WEIGHTS = "supernet.safetensors"


def save_supernet(supernet: Supernet, record: SupernetRecord, directory: Path) -> None:
    """Write weights, then the record, which says that they are whole.

    Raises:
        CheckpointError: they cannot be written.
    """
    save_module(supernet.shared, directory / _WEIGHTS)
    whole = asdict(record) | {"digest": _digest(directory)}
    try:
        write_atomically(directory / RECORD_FILE, json.dumps(whole, indent=2) + "\n")
    except OSError as error:
        raise CheckpointError(f"The supernet could not be written to {directory}: {reason_of(error)}.") from error


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
        raise CheckpointError(f"{directory / _WEIGHTS} is not the file that {RECORD_FILE} describes; train anew.")
    return supernet.eval()


def _digest(directory: Path) -> str:
    """Sixteen hexadecimal digits of the weights' file."""
    with (directory / _WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
