"""The weights of generators as plain arrays, for the state of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

if TYPE_CHECKING:
    from torch import nn

    from gennas.models.base import Generator

__all__ = ["pack_weights", "unpack_weights"]


class _Stateful(Protocol):
    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def pack_weights(generator: Generator) -> dict[str, Any]:
    """What a generator has learned: its own ``state_dict()``, or else the weights of all networks in it, by name."""
    if _is_stateful(generator):
        return generator.state_dict()
    return {
        f"{i}.{name}": tensor.cpu().numpy().copy()
        for i, module in enumerate(_modules(generator))
        for name, tensor in module.state_dict().items()
    }


def unpack_weights(generator: Generator, weights: Mapping[str, Any]) -> None:
    """Load what :func:`pack_weights` returned."""
    import torch

    if _is_stateful(generator):
        generator.load_state_dict(weights)
        return
    for i, module in enumerate(_modules(generator)):
        own = {name.removeprefix(f"{i}."): array for name, array in weights.items() if name.startswith(f"{i}.")}
        module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in own.items()})


def _is_stateful(generator: object) -> TypeGuard[_Stateful]:
    """Whether it says itself what it has learned, in plain values and arrays; networks say it in tensors."""
    from torch import nn

    return hasattr(generator, "state_dict") and not isinstance(generator, nn.Module)


def _modules(generator: Generator) -> list[nn.Module]:
    """The networks that a generator is or that it, or a pipeline in it, holds."""
    from torch import nn

    if isinstance(generator, nn.Module):
        return [generator]
    parts = list(vars(generator).values())
    for part in vars(generator).values():
        parts.extend(getattr(part, "components", {}).values())
    return [part for part in parts if isinstance(part, nn.Module)]
