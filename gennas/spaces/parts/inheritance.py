"""Which weights of a shared network are those of a plain one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.parts.choice import Candidates
from gennas.spaces.parts.depth import Edges, Rows
from gennas.spaces.parts.elastic import ElasticQKV, Vector
from gennas.spaces.parts.kernel import ElasticKernelConv2d
from gennas.spaces.parts.sizes import Elastic
from gennas.spaces.parts.sliced import Sliced

__all__ = ["counterparts", "views"]


def counterparts(
    plain: nn.Module, shared: nn.Module, decisions: Sequence[int], path: str = ""
) -> Iterator[tuple[Tensor, Tensor]]:
    """Parameters and buffers of a plain network, each with what the shared network has for it.

    Both are of one class, made of other parts: what stands under the same name belongs together, a module and the
    chosen one of several candidates, the blocks of a list and those of :class:`Rows` or :class:`Edges` that are there,
    a tensor and the leading slice of its shape, which is a view. Kernels that shrink by learned matrices are computed.

    Args:
        plain: network of one architecture.
        shared: the shared one, or the part of it that stands at ``path``.
        decisions: of the architecture, ``(d,)``.
        path: name of ``plain`` in its network, for messages.

    Raises:
        ConfigError: the shared network lacks something, or has it smaller.
    """
    for own, inherited, _ in _pairs(plain, shared, decisions, path):
        yield own, inherited


def views(plain: nn.Module, shared: nn.Module, decisions: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Parameters and buffers of a plain network, each with every view of the shared network that it is made of.

    Raises:
        ConfigError: as :func:`counterparts`.
    """
    for own, _, made_of in _pairs(plain, shared, decisions, ""):
        yield from ((own, view) for view in made_of)


_Pair = tuple[Tensor, Tensor, Sequence[Tensor]]  # a tensor, what it inherits, and the views that this is made of


def _pairs(plain: nn.Module, shared: nn.Module, decisions: Sequence[int], path: str) -> Iterator[_Pair]:
    while isinstance(shared, Candidates):
        shared = shared.chosen(decisions) or nn.Identity()
    if isinstance(shared, Sliced):
        shared = shared.whole
    for name, tensor in (*plain._parameters.items(), *plain._buffers.items()):
        if tensor is not None and name not in plain._non_persistent_buffers_set:
            yield _pair(shared, name, tensor, decisions, path)
    others: Mapping[str, nn.Module | None] = shared._modules
    if isinstance(shared, (Rows, Edges)):
        others = {str(i): module for i, module in enumerate(shared.present(decisions))}
    for name, child in plain._modules.items():
        if child is not None:
            if (other := others.get(name)) is None:
                raise ConfigError(f"The shared network has no {path}{name}, which the plain one has.")
            yield from _pairs(child, other, decisions, f"{path}{name}.")


def _pair(shared: nn.Module, name: str, tensor: Tensor, decisions: Sequence[int], path: str) -> _Pair:
    if isinstance(shared, ElasticQKV):
        own, view = _ordered(shared, name, tensor, decisions)
        return own, view, [view]
    if isinstance(shared, ElasticKernelConv2d):
        channels, _, kernel, _ = tensor.shape
        return tensor, shared.shrunk(kernel, channels), shared.views(kernel, channels)
    view = _slice(shared, name, tensor, path)
    return tensor, view, [view]


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
