"""Which weights of a shared network are those of a plain one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.parts.choice import Choice
from gennas.spaces.parts.depth import Edges, Rows
from gennas.spaces.parts.elastic import ElasticQKV, Vector
from gennas.spaces.parts.sizes import Elastic

__all__ = ["counterparts"]


def counterparts(
    plain: nn.Module, shared: nn.Module, decisions: Sequence[int], path: str = ""
) -> Iterator[tuple[Tensor, Tensor]]:
    """Parameters and buffers of a plain network, each with the slice of the shared network's that it stands for.

    Both are of one class, made of other parts: what stands under the same name belongs together, a module and the
    chosen candidate of a :class:`Choice`, the blocks of a list and those of :class:`Rows` or :class:`Edges` that are
    there, a tensor and the leading slice of its shape.

    Args:
        plain: network of one architecture.
        shared: the shared one, or the part of it that stands at ``path``.
        decisions: of the architecture, ``(d,)``.
        path: name of ``plain`` in its network, for messages.

    Raises:
        ConfigError: the shared network lacks something, or has it smaller.
    """
    if isinstance(shared, Choice):
        shared = shared.chosen(decisions) or nn.Identity()
    for name, tensor in (*plain._parameters.items(), *plain._buffers.items()):
        if tensor is not None and name not in plain._non_persistent_buffers_set:
            if isinstance(shared, ElasticQKV):
                yield _ordered(shared, name, tensor, decisions)
            else:
                yield tensor, _slice(shared, name, tensor, path)
    others: Mapping[str, nn.Module | None] = shared._modules
    if isinstance(shared, (Rows, Edges)):
        others = {str(i): module for i, module in enumerate(shared.present(decisions))}
    for name, child in plain._modules.items():
        if child is not None:
            if (other := others.get(name)) is None:
                raise ConfigError(f"The shared network has no {path}{name}, which the plain one has.")
            yield from counterparts(child, other, decisions, f"{path}{name}.")


def _ordered(shared: ElasticQKV, name: str, tensor: Tensor, decisions: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A tensor in the shape ``(heads, 3, head_dim, …)``, and the part of the shared one's that it stands for."""
    symbols = dict(enumerate(decisions))
    heads, d = (s.at(symbols) if isinstance(s, Elastic) else s for s in (shared.heads, shared.head_dim))
    width = tensor.shape[1] if tensor.ndim > 1 else None
    return torch.unflatten(tensor, 0, (heads, 3, d)), shared.ordered(getattr(shared, name), heads, d, width)


def _slice(shared: nn.Module, name: str, tensor: Tensor, path: str) -> Tensor:
    """The leading slice of a tensor of the shared network."""
    holder = shared._modules.get(name)
    whole = holder.weight if isinstance(holder, Vector) else shared._parameters.get(name, shared._buffers.get(name))
    fits = whole is not None and whole.ndim == tensor.ndim
    if whole is None or not fits or any(a < b for a, b in zip(whole.shape, tensor.shape, strict=True)):
        got = "nothing" if whole is None else tuple(whole.shape)
        raise ConfigError(f"Expected {path}{name} of at least {tuple(tensor.shape)} in the shared network, got {got}.")
    return whole[tuple(slice(size) for size in tensor.shape)]
