"""What parts a network class asks for, and those of one architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import nn

from gennas.errors import ConfigError
from gennas.graph import Architecture
from gennas.spaces.parts.sizes import Size
from gennas.spaces.parts.sources import Sources

__all__ = ["PLAIN", "Parts", "Plain"]


class Parts(Protocol):
    """Makes what architectures decide: a network class asks for it and for nothing else.

    Decisions are numbers in the order of ``schema.slots``, symbols the numbers of labels. Sizes are what :meth:`pick`
    gave, functions of it (:func:`~gennas.spaces.parts.sized`), or plain numbers.
    """

    def choice(self, decision: int, make: Callable[[int], nn.Module | None], passes: bool = False) -> nn.Module | None:
        """What stands at the place of a decision: ``make(symbol)``, None for a label without a module.

        A shared network gets a module that may return None: the place has no term then. With ``passes`` a label
        without a module hands its input on.
        """

    def alternative(self, value: Any, make: Callable[..., nn.Module | None], passes: bool = False) -> nn.Module | None:
        """As :meth:`choice`, ``make(value)`` for what several decisions give by :func:`~gennas.spaces.parts.sized`."""

    def labelled(self, value: Any, make: Callable[..., nn.Module | None], passes: bool = False) -> nn.Module | None:
        """As :meth:`choice`, ``make(value)`` for what :meth:`pick` gave of one decision."""

    def sliced(self, make: Callable[..., nn.Module], *sizes: Size) -> nn.Module:
        """The module ``make(*sizes)``, of whatever kind: its weights are leading slices of the largest's."""

    def sources(self, edges: Mapping[int, int | None], symbol: int) -> Sources | list[int]:
        """Which outputs a node reads: those whose edge has this symbol, by :func:`~gennas.spaces.parts.taken`.

        Args:
            edges: decision of the edge by the number of the output; None for an edge that is always there.
            symbol: of an edge that is there.
        """

    def pick(self, decision: int, values: Mapping[int, Any]) -> Any:
        """The value of a decision's symbol; None where it has none. A shared network gets all of them."""

    def depth(self, count: Size, make: Callable[[int], nn.Module]) -> nn.ModuleList:
        """The blocks ``make(0), make(1), …``, to be run by :func:`~gennas.spaces.parts.in_turn`."""

    def rows(self, groups: Sequence[tuple[Size, Callable[[int], nn.Module | None]]]) -> nn.Sequential:
        """Groups of blocks in a row, each ``make(0), make(1), …``, so many of each, without those that are None."""

    def row(self, modules: Sequence[nn.Module | None]) -> nn.Sequential:
        """Modules in a row, without those that are None; places among them have to pass."""

    def edges(self, modules: Sequence[nn.Module | None]) -> nn.ModuleList:
        """What :meth:`choice` gave for several places; a plain network lists those that are there."""

    def share(self, channels: int) -> int:
        """Channels of a candidate at a place of so many; fewer only where a part of the channels passes it by."""

    def linear(self, inputs: Size, outputs: Size, bias: Size = True) -> nn.Module:
        """A linear layer."""

    def qkv(self, width: Size, heads: Size, head_dim: Size, bias: Size = True) -> nn.Module:
        """A linear layer to queries, keys and values, in the order (head, 3, head_dim), where ``head_dim`` may vary."""

    def conv(
        self,
        inputs: Size,
        outputs: Size,
        kernel: Size,
        stride: Size = 1,
        depthwise: bool = False,
        groups: Size = 1,
        **options: Any,
    ) -> nn.Module:
        """A convolution; with ``depthwise`` every channel has a filter of its own, whose side may vary."""

    def dropout(self, rate: Any) -> nn.Module:
        """Dropout of a rate."""

    def depthwise1d(self, channels: Size, kernel: int, **options: Any) -> nn.Module:
        """A depthwise convolution of sequences ``(b, c, t)``."""

    def batch_norm(self, size: Size, **options: Any) -> nn.Module:
        """Batch normalisation of images."""

    def layer_norm(self, size: Size, eps: float = 1e-5) -> nn.Module:
        """Layer normalisation."""

    def embedding(self, count: int, width: Size) -> nn.Module:
        """An embedding."""

    def vector(self, make: Callable[[int], nn.Parameter], size: Size, dim: int = -1) -> nn.Parameter | nn.Module:
        """The parameter ``make(size)``, of that size in one dimension; :func:`~gennas.spaces.parts.read` reads it."""


class Plain:
    """Ordinary modules: those of one architecture.

    Args:
        arch: the architecture; None for networks that ask for no decision.
    """

    def __init__(self, arch: Architecture | None = None) -> None:
        self._symbols = None if arch is None else [int(s) for s in arch.decisions]

    def _symbol(self, decision: int) -> int:
        if self._symbols is None:
            raise ConfigError("Expected an architecture for a network with decisions: Plain(arch).")
        return self._symbols[decision]

    def choice(self, decision: int, make: Callable[[int], nn.Module | None], passes: bool = False) -> nn.Module | None:
        """The module of the architecture's label."""
        return make(self._symbol(decision))

    def alternative(self, value: Any, make: Callable[..., nn.Module | None], passes: bool = False) -> nn.Module | None:
        """The module of the value."""
        return make(value)

    def labelled(self, value: Any, make: Callable[..., nn.Module | None], passes: bool = False) -> nn.Module | None:
        """The module of the value."""
        return make(value)

    def sliced(self, make: Callable[..., nn.Module], *sizes: Size) -> nn.Module:
        """The module."""
        return make(*sizes)

    def sources(self, edges: Mapping[int, int | None], symbol: int) -> Sources | list[int]:
        """Those of the architecture."""
        return [u for u, t in edges.items() if t is None or self._symbol(t) == symbol]

    def pick(self, decision: int, values: Mapping[int, Any]) -> Any:
        """The value of the architecture's label."""
        return values.get(self._symbol(decision))

    def depth(self, count: Size, make: Callable[[int], nn.Module]) -> nn.ModuleList:
        """As many blocks."""
        return nn.ModuleList(make(i) for i in range(_plain(count)))

    def rows(self, groups: Sequence[tuple[Size, Callable[[int], nn.Module | None]]]) -> nn.Sequential:
        """All blocks in one list."""
        return self.row([make(i) for count, make in groups for i in range(_plain(count))])

    def row(self, modules: Sequence[nn.Module | None]) -> nn.Sequential:
        """Those that are there."""
        return nn.Sequential(*[module for module in modules if module is not None])

    def edges(self, modules: Sequence[nn.Module | None]) -> nn.ModuleList:
        """Those that are there."""
        return nn.ModuleList(module for module in modules if module is not None)

    def share(self, channels: int) -> int:
        """All of them."""
        return channels

    def linear(self, inputs: Size, outputs: Size, bias: Size = True) -> nn.Module:
        """A linear layer."""
        return nn.Linear(_plain(inputs), _plain(outputs), bool(_plain(bias)))

    def qkv(self, width: Size, heads: Size, head_dim: Size, bias: Size = True) -> nn.Module:
        """A linear layer."""
        return nn.Linear(_plain(width), 3 * _plain(heads) * _plain(head_dim), bool(_plain(bias)))

    def conv(
        self,
        inputs: Size,
        outputs: Size,
        kernel: Size,
        stride: Size = 1,
        depthwise: bool = False,
        groups: Size = 1,
        **options: Any,
    ) -> nn.Module:
        """A convolution."""
        groups = _plain(inputs) if depthwise else _plain(groups)
        return nn.Conv2d(_plain(inputs), _plain(outputs), _plain(kernel), _plain(stride), groups=groups, **options)

    def dropout(self, rate: Any) -> nn.Module:
        """Dropout."""
        return nn.Dropout(rate)

    def depthwise1d(self, channels: Size, kernel: int, **options: Any) -> nn.Module:
        """A depthwise convolution of sequences."""
        return nn.Conv1d(_plain(channels), _plain(channels), kernel, groups=_plain(channels), **options)

    def batch_norm(self, size: Size, **options: Any) -> nn.Module:
        """Batch normalisation."""
        return nn.BatchNorm2d(_plain(size), **options)

    def layer_norm(self, size: Size, eps: float = 1e-5) -> nn.Module:
        """Layer normalisation."""
        return nn.LayerNorm(_plain(size), eps=eps)

    def embedding(self, count: int, width: Size) -> nn.Module:
        """An embedding."""
        return nn.Embedding(count, _plain(width))

    def vector(self, make: Callable[[int], nn.Parameter], size: Size, dim: int = -1) -> nn.Parameter | nn.Module:
        """The parameter."""
        return make(_plain(size))


PLAIN = Plain()


def _plain(size: Size) -> int:
    """A size that has to be a number."""
    if not isinstance(size, int):
        raise ConfigError(f"Expected a number as size of a plain layer, got {type(size).__name__}: use Shared parts.")
    return size
