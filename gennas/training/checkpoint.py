"""Weights of a trained network in a safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_model
from torch import Tensor, nn

from gennas.errors import CheckpointError, reason_of, shown
from gennas.runtime.files import draft

__all__ = ["fill_module", "load_module", "load_trained", "read_note", "save_module"]

_NOTE = "note."


def save_module(module: nn.Module, path: str | Path, note: Mapping[str, str] | None = None) -> None:
    """Write the parameters and buffers of ``module``; an existing file is replaced at once or not at all.

    Args:
        module: whose weights are written.
        path: the file.
        note: texts to keep beside them, for :func:`read_note`.

    Raises:
        CheckpointError: the file cannot be written.
    """
    path = Path(path)
    try:
        with draft(path) as place:
            save_model(module, str(place), {f"{_NOTE}{key}": text for key, text in (note or {}).items()})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Weights could not be written to {path}: {reason_of(error)}.") from error


def load_module(module: nn.Module, path: str | Path) -> None:
    """Fill ``module`` with the weights in ``path``; it is left as it was if they do not fit.

    Raises:
        CheckpointError: the file is missing or damaged, or belongs to another network.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            tied: dict[str, str] = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Expected weights in {path}, got: {reason_of(error)}.") from error
    state |= {name: state[kept] for name, kept in tied.items() if kept in state}
    fill_module(module, state, path)


def load_trained(module: nn.Module, path: str | Path, text: str) -> None:
    """Fill ``module``, the network of the architecture ``text``, with weights that were saved for it.

    Raises:
        CheckpointError: they were saved for another architecture, or as :func:`load_module`.
    """
    saved = read_note(path).get("arch", text)
    if saved != text:
        raise CheckpointError(f"The weights in {path} are those of {saved}, expected {text}.")
    load_module(module, path)


def fill_module(module: nn.Module, state: Mapping[str, Tensor], path: Path | str) -> None:
    """Give ``module`` the weights and buffers of ``state``, which was read from ``path``.

    Raises:
        CheckpointError: they belong to another network; the module is left as it was.
    """
    saved, own = ({name: tuple(t.shape) for name, t in tensors.items()} for tensors in (state, module.state_dict()))
    wrong = [
        f"{shown(n)[1:-1]}: saved {saved.get(n)}, here {own.get(n)}"
        for n in sorted(saved | own)
        if saved.get(n) != own.get(n)
    ]
    if wrong:
        raise CheckpointError(
            f"The weights in {path} belong to another network ({'; '.join(wrong[:3])}). "
            "Build the architecture they were saved for."
        )
    other = [
        name
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() != state[name].is_floating_point()
    ]
    if other:
        raise CheckpointError(
            f"The weights in {path} are damaged: {other[0]} has numbers of another type; copy the file again."
        )
    module.load_state_dict(state)


def read_note(path: str | Path) -> dict[str, str]:
    """The texts that were kept beside weights.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Expected weights in {path}, got: {reason_of(error)}.") from error
    return {key.removeprefix(_NOTE): text for key, text in metadata.items() if key.startswith(_NOTE)}
