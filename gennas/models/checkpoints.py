"""Whatever goes wrong with the files of a saved generator is one kind of error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from torch import nn

from gennas.errors import CheckpointError, OutputError, listed, reason_of, shown
from gennas.runtime.reading import GIB, MIB, bounded_memory, read_bounded

_MOST = 2**20
N = TypeVar("N", bound=nn.Module)


@contextmanager
def checkpoint_errors(folder: Path, file: str) -> Iterator[None]:
    """Read a saved generator inside; ``file`` is what every folder with one has.

    Raises:
        CheckpointError: no such file, or reading raised anything.
    """
    if not (folder / file).is_file():
        raise CheckpointError(f"Expected a saved generator in {folder}, found no {file} there.")
    try:
        _refuse_sizes(folder)
        weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
        with bounded_memory(weights, 4 * GIB):
            yield
    except CheckpointError:
        raise
    except Exception as error:  # diffusers, transformers, safetensors and json raise many kinds
        raise CheckpointError(
            f"The generator in {folder} cannot be read ({type(error).__name__}: {reason_of(error)}); train or copy "
            "it again."
        ) from error


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Write the files of a generator inside.

    Raises:
        OutputError: writing raised anything, such as on a full disk.
    """
    try:
        yield
    except OutputError:
        raise
    except Exception as error:  # diffusers, transformers and safetensors raise many kinds
        reason = reason_of(error)
        raise OutputError(f"Cannot write the generator to {folder}: {reason}; free some space.", reason) from error


def _refuse_sizes(folder: Path) -> None:
    """Refuse configurations of networks that the weights beside them cannot be of, and that would take ages to make."""
    for path in folder.rglob("*config.json"):
        config = json.loads(read_bounded(path, 64 * MIB, CheckpointError, advice="train it again"))
        most = _MOST
        for weights in path.parent.glob("*.safetensors"):
            with safe_open(str(weights), framework="pt") as file:
                most = min(most, len(list(file.keys())))
        for name, value in config.items():
            limit = most if "layers" in name else _MOST
            if isinstance(value, (int, float)) and value > limit:
                raise CheckpointError(
                    f"{path}: expected {shown(name)} of at most {limit:,}, got {shown(value, 40)}; train or "
                    "copy it again."
                )


def complete(loaded: tuple[N, Mapping[str, Any]], folder: Path) -> N:
    """What ``from_pretrained(…, output_loading_info=True)`` gives, if the file held all of its weights, each finite.

    Both diffusers and transformers draw weights that a file lacks at random, and only warn.

    Raises:
        CheckpointError: weights are missing, of other shapes, not finite, or belong to something else.
    """
    network, info = loaded
    wrong = [str(name) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in info[kind]]
    wrong += [name for name, tensor in network.named_parameters() if not bool(torch.isfinite(tensor).all())]
    if wrong:
        raise CheckpointError(
            f"The weights in {folder} are damaged or of another network ({listed(sorted(wrong), 3)}); train or copy it "
            "again."
        )
    return network
