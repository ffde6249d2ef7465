"""The weights of a generator as arrays by name, for snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gennas.models.base import Generator

if TYPE_CHECKING:
    from torch import nn

__all__ = ["pack_weights", "unpack_weights"]


def pack_weights(generator: Generator) -> dict[str, NDArray[Any]]:
    """The weights of all networks of a generator, by name."""
    return {
        f"{i}.{name}": tensor.cpu().numpy().copy()
        for i, module in enumerate(_modules(generator))
        for name, tensor in module.state_dict().items()
    }


def unpack_weights(generator: Generator, weights: Mapping[str, NDArray[Any]]) -> None:
    """Load what :func:`pack_weights` returned."""
    import torch

    for i, module in enumerate(_modules(generator)):
        own = {name.removeprefix(f"{i}."): array for name, array in weights.items() if name.startswith(f"{i}.")}
        module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in own.items()})


def _modules(generator: Generator) -> list[nn.Module]:
    """The networks that a generator, or a pipeline in it, holds."""
    from torch import nn

    parts = list(vars(generator).values())
    for part in vars(generator).values():
        parts.extend(getattr(part, "components", {}).values())
    return [part for part in parts if isinstance(part, nn.Module)]
