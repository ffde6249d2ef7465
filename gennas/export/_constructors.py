"""How a module is made again: text of the call that constructs it, from its attributes.

Expressions are text, or ``[open, arguments, close]`` for a call that may be broken over lines. Whole numbers that could
differ between two networks of one class are written as ``⟦name=value⟧``.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gennas.errors import ExportError
from gennas.export._composite import settings_of

Expression: TypeAlias = str | list[Any]

# Settings that PyTorch stores as one number per dimension.
_SPATIAL = {"kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"}
_NOT_WRITTEN = {"self", "device", "dtype"}


def slot(name: str, value: int) -> str:
    return f"⟦{name}={value}⟧"


def is_library(module: nn.Module) -> bool:
    """Whether the class comes with PyTorch, so that it can be named in plain source."""
    kind = type(module)
    return kind.__module__.startswith("torch.nn.modules.") and getattr(nn, kind.__name__, None) is kind


def is_plain_sequence(module: nn.Module) -> bool:
    """Whether it is an ``nn.Sequential`` that counts its layers from 0."""
    names = [name for name, _ in module.named_children()]
    return type(module) is nn.Sequential and names == [str(i) for i in range(len(names))]


def library_call(module: nn.Module) -> Expression:
    """The call that makes a layer of ``torch.nn`` again, without settings at their default.

    Raises:
        ExportError: a setting cannot be read from the layer.
    """
    known = settings_of(module)
    if known is not None:
        required = [_part(value, name) for name, value in known.required.items()]
        optional = [f"{name}={_part(v, name)}" for name, (v, default) in known.optional.items() if v != default]
        return f"nn.{type(module).__name__}({', '.join([*required, *optional])})"
    arguments = []
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if (
            name in _NOT_WRITTEN
            or name.startswith("_")
            or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ):
            continue
        is_required = parameter.default is parameter.empty
        if not hasattr(module, name):
            if is_required:
                raise ExportError(f"{type(module).__name__} does not keep its setting {name!r}; export to pt2.")
            continue
        value = _setting(module, name)
        if is_required:
            arguments.append(constant(value, name))
        elif not _is_default(module, name, value, parameter.default):
            arguments.append(f"{name}={constant(value, name)}")
    return f"nn.{type(module).__name__}({', '.join(arguments)})"


def _part(value: Any, name: str) -> str:
    """An argument; a layer is the call that makes it."""
    if not isinstance(value, nn.Module):
        return constant(value, name)
    if not is_library(value):
        raise ExportError(f"{name}={type(value).__name__}(…) is no layer of PyTorch; export to pt2 instead.")
    return str(library_call(value))


def _setting(module: nn.Module, name: str) -> Any:
    value = getattr(module, name)
    if name == "bias":
        return value is not None and value is not False
    if isinstance(value, tuple) and len(set(value)) == 1 and (name in _SPATIAL or len(value) == 1):
        return value[0]
    return value


def _is_default(module: nn.Module, name: str, value: Any, default: Any) -> bool:
    if name == "stride" and default is None:
        return bool(value == _setting(module, "kernel_size"))
    return type(value) is type(default) and bool(value == default)


def constant(value: Any, name: str = "") -> str:
    """A value as source; whole numbers that are called something are slots.

    Raises:
        ExportError: there is no plain way to write it.
    """
    if name and isinstance(value, int) and not isinstance(value, bool):
        return slot(name, value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or value is Ellipsis or isinstance(value, (bool, int, float, str)):
        return (
            "..." if value is Ellipsis else f'"{value}"' if isinstance(value, str) and '"' not in value else repr(value)
        )
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return str(value)
    if isinstance(value, torch.device):
        return f'torch.device("{value}")'
    if isinstance(value, tuple):
        items = [constant(item, name) for item in value]
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    if isinstance(value, list):
        return f"[{', '.join(constant(item, name) for item in value)}]"
    raise ExportError(f"Expected numbers, texts and lists of them, got {type(value).__name__}: it cannot be written.")


def tensor_statements(module: nn.Module) -> list[tuple[str, Expression]]:
    """Statements that register a module's own parameters and buffers.

    Raises:
        ExportError: a buffer is not saved with the weights and too large to be written out.
    """
    found: list[tuple[str, Expression]] = []
    for name, parameter in module.named_parameters(recurse=False):
        frozen = "" if parameter.requires_grad else ", requires_grad=False"
        found.append((f"self.{name} = ", f"nn.Parameter({_zeros(parameter)}{frozen})"))
    for name, buffer in module.named_buffers(recurse=False):
        if name not in module._non_persistent_buffers_set:
            found.append(("", f'self.register_buffer("{name}", {_zeros(buffer)})'))
        elif buffer.numel() <= 64:
            values = f"torch.tensor({constant(buffer.tolist())}, dtype={buffer.dtype})"
            found.append(("", f'self.register_buffer("{name}", {values}, persistent=False)'))
        else:
            raise ExportError(f"Buffer {name!r} is not saved with the weights and too large to be written into source.")
    return found


def _zeros(tensor: Tensor) -> str:
    sizes = ", ".join(slot("size", s) for s in tensor.shape) or "()"
    dtype = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
    return f"torch.zeros({sizes}{dtype})"
