"""Writing a network to a file, reading it back, and comparing what both compute."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from gennas.errors import ExportError, UnknownNameError, reason_of
from gennas.export.source import module_source
from gennas.runtime.files import draft
from gennas.training.checkpoint import load_module, save_module

__all__ = ["FORMATS", "TOLERANCE", "Format", "Inputs", "export_module"]

Format = Literal["onnx", "pt2", "safetensors", "source"]
FORMATS: tuple[Format, ...] = get_args(Format)
TOLERANCE = 1e-5
"""Largest difference of outputs, absolute and relative, between a network and its file."""

Inputs: TypeAlias = tuple[Tensor, ...]
Call: TypeAlias = Callable[[Inputs], Tensor]


def export_module(
    module: nn.Module,
    inputs: Inputs,
    path: str | Path,
    to: Format,
    *,
    checks: Sequence[Inputs] = (),
    note: Mapping[str, str] | None = None,
) -> float:
    """Write a network to a file, read it back and return the largest difference of outputs.

    ``onnx`` and ``pt2`` hold network and weights, ``safetensors`` weights alone, ``source`` the network alone (it is
    compared after loading the weights). Images, tokens and pairs come in batches of any size. An existing
    file is replaced at once, and only by one that computes the same.

    Args:
        module: the network, on the CPU; evaluation mode is what is exported, its own mode stays.
        inputs: arguments of one call, at least two examples: images ``(b, c, h, w)``, tokens ``(b, t)``, two inputs of
            pairs, or ``x`` and ``edge_index`` of a graph, with ``batch`` of several.
        path: the file.
        to: one of :data:`FORMATS`.
        checks: further arguments to compare on, such as batches of other sizes.
        note: texts to keep with the weights, and in the source.

    Raises:
        UnknownNameError: no such format.
        ExportError: the network cannot be written so, a package is missing, or the file computes something else.
        CheckpointError: weights cannot be written.

    Example:
        >>> import tempfile
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export_module(net, (torch.randn(2, 1, 4, 4),), Path(folder) / "net.safetensors", "safetensors")
        0.0
    """
    if to not in _WRITERS:
        raise UnknownNameError("export format", to, FORMATS)
    module, path = copy.deepcopy(module).eval(), Path(path)
    write, read = _WRITERS[to]
    try:
        with draft(path) as place:
            write(module, inputs, place, dict(note or {}))
            difference = _difference(module, read(place, module), [inputs, *checks])
    except OSError as error:
        raise ExportError(f"Cannot write {path}: {reason_of(error)}.") from error
    return difference


def _difference(module: nn.Module, again: Call, examples: Sequence[Inputs]) -> float:
    """Largest absolute difference of outputs.

    Raises:
        ExportError: it is too large.
    """
    largest = 0.0
    for inputs in examples:
        with torch.no_grad():
            expected = module(*inputs)
        got = again(inputs)
        if got.shape != expected.shape or not torch.allclose(got, expected, TOLERANCE, TOLERANCE, equal_nan=True):
            off = float((got - expected).abs().max()) if got.shape == expected.shape else f"shape {tuple(got.shape)}"
            raise ExportError(
                f"The file computes something else than the network: expected outputs within {TOLERANCE:g}, got a "
                f"difference of {off} on inputs {[tuple(i.shape) for i in inputs]}; nothing was kept."
            )
        largest = max(largest, float((got - expected).abs().max()))
    return largest


# ---------------------------------------------------------------------- formats


def _write_onnx(module: nn.Module, inputs: Inputs, path: Path, note: Mapping[str, str]) -> None:
    _require("onnx", "onnxscript", "onnxruntime")
    names = _names(inputs)
    try:
        traced = torch.export.export(module, inputs, dynamic_shapes=_dynamic(inputs))
        program = torch.onnx.export(traced, dynamo=True, input_names=names, output_names=["logits"], verbose=False)
        assert program is not None  # no file was named, so the program is returned
        program.save(str(path), external_data=False)
    except Exception as error:  # torch.onnx and onnxscript have no common root of errors
        raise _failed("onnx", error) from error


def _read_onnx(path: Path, module: nn.Module) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def call(inputs: Inputs) -> Tensor:
        values = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, values)[0])

    return call


def _write_pt2(module: nn.Module, inputs: Inputs, path: Path, note: Mapping[str, str]) -> None:
    try:
        program = torch.export.export(module, inputs, dynamic_shapes=_dynamic(inputs))
        with path.open("wb") as file:  # by name, only .pt2 would be allowed
            torch.export.save(program, file)
    except OSError:
        raise
    except Exception as error:  # torch.export has no common root of errors
        raise _failed("pt2", error) from error


def _read_pt2(path: Path, module: nn.Module) -> Call:
    with path.open("rb") as file:
        return _calling(torch.export.load(file).module())


def _write_weights(module: nn.Module, inputs: Inputs, path: Path, note: Mapping[str, str]) -> None:
    save_module(module, path, note)


def _read_weights(path: Path, module: nn.Module) -> Call:
    again = copy.deepcopy(module)
    with torch.no_grad():
        for tensor in again.state_dict().values():
            tensor.zero_()
    load_module(again, path)
    return _calling(again)


def _write_source(module: nn.Module, inputs: Inputs, path: Path, note: Mapping[str, str]) -> None:
    title = "\n".join([type(module).__name__, *(f"{key}: {text}" for key, text in note.items())])
    path.write_text(module_source(module, title), encoding="utf-8")


def _read_source(path: Path, module: nn.Module) -> Call:
    scope: dict[str, Any] = {"__name__": "exported"}
    exec(compile(path.read_text(), path.name, "exec"), scope)
    network = [value for value in scope.values() if isinstance(value, type) and issubclass(value, nn.Module)][-1]
    try:
        again = network()
        again.load_state_dict(module.state_dict())
    except (RuntimeError, TypeError, ValueError) as error:
        raise _failed("source", error) from error
    return _calling(again.eval())


_WRITERS: dict[
    str, tuple[Callable[[nn.Module, Inputs, Path, Mapping[str, str]], None], Callable[[Path, nn.Module], Call]]
]
_WRITERS = {
    "onnx": (_write_onnx, _read_onnx),
    "pt2": (_write_pt2, _read_pt2),
    "safetensors": (_write_weights, _read_weights),
    "source": (_write_source, _read_source),
}


def _calling(module: Callable[..., Tensor]) -> Call:
    def call(inputs: Inputs) -> Tensor:
        with torch.no_grad():
            return module(*inputs)

    return call


def _names(inputs: Inputs) -> list[str]:
    """What the arguments are called: images or tokens, two inputs of a pair, or a graph."""
    if len(inputs) == 1:
        return ["images" if inputs[0].is_floating_point() else "tokens"]
    if inputs[1].is_floating_point():
        return ["first", "second"]
    return ["x", "edge_index", "batch"][: len(inputs)]


def _dynamic(inputs: Inputs) -> tuple[Any, ...]:
    """Which sizes may differ: the batch, or nodes and edges of a graph."""
    dim = torch.export.Dim
    if len(inputs) == 1 or inputs[1].is_floating_point():
        batch = dim("batch")
        return tuple({0: batch} for _ in inputs)
    nodes = dim("nodes")
    return ({0: nodes}, {1: dim("edges")}, {0: nodes})[: len(inputs)]


def _require(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(f"ONNX needs {', '.join(missing)}: pip install 'gennas[onnx]'.")


def _failed(to: str, error: Exception) -> ExportError:
    cause = error.__cause__ or error
    reason = next((line for line in str(cause).splitlines() if line.strip()), "no reason given")
    return ExportError(f"The network cannot be exported to {to}: {type(cause).__name__}: {reason.strip()[:300]}")
