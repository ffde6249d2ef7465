"""What the terminals of grammars build; all modules keep the size of images but ``down``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache, reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.grammar.grammar import Term
from gennas.spaces.grammar.space import Derivation
from gennas.spaces.spec import TaskSpec

__all__ = ["LEAVES", "GrammarNetwork", "leaf", "network_parameters"]


class GrammarNetwork(nn.Module):
    """A 3x3 convolution, what was derived, norm, ReLU, mean, classifier: ``(b, c, h, w)`` to ``(b, classes)``."""

    def __init__(self, derivation: Derivation, spec: TaskSpec, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(spec.input_shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.body, (channels, _) = _module(derivation, _Shape(width, 1))
        self.head = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(channels, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head(self.body(self.stem(images))))
        return logits


class _Shape(NamedTuple):
    """Channels, and by how much images are smaller than at first."""

    channels: int
    stride: int


def _module(derivation: Derivation, shape: _Shape) -> tuple[nn.Module, _Shape]:
    """The module of a derivation, and what it makes of a shape."""
    return _of_term(derivation.alternative.term, iter(derivation.children), shape)


def _of_term(term: Term, children: Iterator[Derivation], shape: _Shape) -> tuple[nn.Module, _Shape]:
    """The module of a term, whose non-terminals have the derivations ``children`` from left to right."""
    if not term.parts:
        if term.name not in LEAVES:
            return _module(next(children), shape)
        return leaf(term.name, shape.channels), _after(term.name, shape)
    kind = term.name.rstrip("0123456789")
    if kind == "linear":
        return _row(term.parts, children, shape)
    if kind == "residual":
        body, after = _row(term.parts[:-1], children, shape)
        beside, other = _of_term(term.parts[-1], children, shape)
        _require_equal(term, [after, other])
        return Sum([body, beside]), after
    parts = [_of_term(part, children, shape) for part in term.parts]
    if kind == "cell":
        _require_equal(term, [shape, *(after for _, after in parts)])
        return Cell([module for module, _ in parts]), shape
    _require_equal(term, [after for _, after in parts])
    return Sum([module for module, _ in parts]), parts[0][1]


def _row(terms: tuple[Term, ...], children: Iterator[Derivation], shape: _Shape) -> tuple[nn.Module, _Shape]:
    modules = []
    for term in terms:
        module, shape = _of_term(term, children, shape)
        modules.append(module)
    return nn.Sequential(*modules), shape


def _require_equal(term: Term, shapes: list[_Shape]) -> None:
    if len(set(shapes)) > 1:
        found = ", ".join(f"{channels} channels at 1/{stride}" for channels, stride in shapes)
        raise ConfigError(f"Grammar: expected equal shapes of all that '{term}' adds, got {found}: check its rules.")


def _after(name: str, shape: _Shape) -> _Shape:
    return _Shape(2 * shape.channels, 2 * shape.stride) if name == "down" else shape


class Sum(nn.Module):
    """What several parts make of one input, added."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = reduce(operator.add, [part(x) for part in self.parts])
        return total


class Cell(nn.Module):
    """Four nodes; each sums what its incoming edges make of those before it: 0→1, 0→2, 1→2, 0→3, 1→3, 2→3."""

    def __init__(self, edges: list[nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(edges)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, f = self.edges
        first = a(x)
        second = b(x) + c(first)
        last: Tensor = d(x) + e(first) + f(second)
        return last


class Zero(nn.Module):
    """Zeros of the input's shape."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Down(nn.Module):
    """The residual block of NAS-Bench-201 that doubles the channels and halves the image, rounding up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.residual = nn.Sequential(*_relu_conv_bn(channels, wide, 3, stride=2), *_relu_conv_bn(wide, wide, 3))
        pool = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(channels, wide, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.residual(x)
        return total


def _relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [nn.ReLU(), conv, nn.BatchNorm2d(outputs)]


def _depthwise(channels: int, kernel: int) -> list[nn.Module]:
    depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
    return [depthwise, nn.Conv2d(channels, channels, 1, bias=False)]


LEAVES: Mapping[str, Callable[[int], nn.Module]] = {
    "zero": lambda c: Zero(),
    "id": lambda c: nn.Identity(),
    "nor_conv_1x1": lambda c: nn.Sequential(*_relu_conv_bn(c, c, 1)),
    "nor_conv_3x3": lambda c: nn.Sequential(*_relu_conv_bn(c, c, 3)),
    "sep_conv_3x3": lambda c: nn.Sequential(nn.ReLU(), *_depthwise(c, 3), nn.BatchNorm2d(c)),
    "avg_pool": lambda c: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
    "max_pool": lambda c: nn.MaxPool2d(3, stride=1, padding=1),
    "down": Down,
    "conv1x1": lambda c: nn.Conv2d(c, c, 1, bias=False),
    "conv3x3": lambda c: nn.Conv2d(c, c, 3, padding=1, bias=False),
    "dconv3x3": lambda c: nn.Sequential(*_depthwise(c, 3)),
    "relu": lambda c: nn.ReLU(),
    "hardswish": lambda c: nn.Hardswish(),
    "mish": lambda c: nn.Mish(),
    "gelu": lambda c: nn.GELU(),
    "batch": nn.BatchNorm2d,
    "instance": lambda c: nn.GroupNorm(c, c),  # also of a single pixel
    "layer": lambda c: nn.GroupNorm(1, c),
}
"""The module of each terminal without parts, for a number of channels."""


def leaf(name: str, channels: int) -> nn.Module:
    """The module of a terminal without parts."""
    return LEAVES[name](channels)


@cache
def _leaf_parameters(name: str, channels: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in leaf(name, channels).parameters())


def network_parameters(derivation: Derivation, spec: TaskSpec, width: int) -> int:
    """Parameters of a :class:`GrammarNetwork`, without building it."""
    known: dict[tuple[int, int], tuple[int, int]] = {}  # of shared derivations, by channels
    total, channels = _count(derivation, width, known)
    stem = 9 * spec.input_shape[0] * width + 2 * width
    return stem + total + 2 * channels + (channels + 1) * spec.num_outputs


def _count(derivation: Derivation, channels: int, known: dict[tuple[int, int], tuple[int, int]]) -> tuple[int, int]:
    """Parameters of a derivation with ``channels`` coming in, and channels that come out."""
    key = (id(derivation), channels)
    if key not in known:
        known[key] = _count_term(derivation.alternative.term, iter(derivation.children), channels, known)
    return known[key]


def _count_term(
    term: Term, children: Iterator[Derivation], channels: int, known: dict[tuple[int, int], tuple[int, int]]
) -> tuple[int, int]:
    if not term.parts:
        if term.name not in LEAVES:
            return _count(next(children), channels, known)
        return _leaf_parameters(term.name, channels), channels * (2 if term.name == "down" else 1)
    in_row = {"linear": len(term.parts), "residual": len(term.parts) - 1}.get(term.name.rstrip("0123456789"), 0)
    total, outputs = 0, channels
    for i, part in enumerate(term.parts):
        found, after = _count_term(part, children, outputs if i < in_row else channels, known)
        total += found
        outputs = after if i < in_row or not in_row else outputs
    return total, outputs
