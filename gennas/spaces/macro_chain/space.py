"""A chain of convolution layers with variable depth, operation, kernel, width and stride."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, IntArray, Population
from gennas.spaces.base import SPACES, BoolArray, FloatArray
from gennas.spaces.counting import exact_counts
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import refuse_shared_depth, scaled_count
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["Layer", "MacroChain"]

OPERATIONS = ("conv", "separable", "inverted")
_PARTS = ("op", "kernel", "width", "stride")
_PREFIXES = ("", "k", "w", "s")
_STRIDE = 3
_LAYER = re.compile(r"([a-z]+)([0-9]{1,9})x([0-9]{1,9})-w([0-9]{1,9})-s([0-9]{1,9})")


@dataclass(frozen=True)
class Layer:
    """One layer of a chain; its text is ``conv3x3-w16-s1``."""

    op: str
    kernel: int
    width: int
    stride: int

    def __str__(self) -> str:
        return f"{self.op}{self.kernel}x{self.kernel}-w{self.width}-s{self.stride}"

    @classmethod
    def parse(cls, text: str) -> Layer:
        """Read what ``str`` writes.

        Raises:
            InvalidArchitectureError: the text has another form, or the kernel is not square.
        """
        match = _LAYER.fullmatch(text.strip())
        if match is None or match[2] != match[3]:
            raise InvalidArchitectureError(f"Expected a layer like 'conv3x3-w16-s1', got {shown(text)}.")
        return cls(match[1], int(match[2]), int(match[4]), int(match[5]))


@SPACES.register("macro-chain")
class MacroChain(LayeredSpace):
    r"""Chain-structured image classifiers: every layer chooses operation, kernel, width and stride.

    One decision stands in one node of a fixed chain: ``depth``, then ``layer1.op``, ``layer1.kernel``,
    ``layer1.width``, ``layer1.stride``, ``layer2.op``, … Layers beyond the depth are ``off``. With ``o``
    operations, ``k`` kernels, ``w`` widths and at most ``M`` layers of stride 2, the space holds

    .. math:: \sum_d (o k w)^d \sum_{j \le \min(M, d)} \binom{d}{j}

    architectures; sampling is uniform over them. The text form is ``conv3x3-w16-s1/separable5x5-w32-s2``.

    Args:
        max_depth: most layers.
        min_depth: fewest layers.
        operations: out of ``conv``, ``separable`` (depthwise, then pointwise) and ``inverted``
            (expansion by four, depthwise, linear projection; residual where shapes agree).
        kernels: odd kernel sizes.
        widths: output channels of a layer.
        strides: ``(1,)`` or ``(1, 2)``.
        max_downsamplings: most layers of stride 2.

    Raises:
        ConfigError: a setting is empty, repeated or out of range.

    Example:
        >>> space = MacroChain(max_depth=2, min_depth=1, kernels=(3,), widths=(8,), max_downsamplings=1)
        >>> space.size  # 3 operations: 3 * 2 chains of one layer, 9 * 3 of two
        33
        >>> space.from_text("conv3x3-w8-s2/inverted3x3-w8-s1")
        Architecture(macro-chain: depth2 conv s2 inverted k3 w8 s1)
    """

    name = "macro-chain"
    _depth_factor = 1.0  # of the layers in networks; part of the identity only where it is set

    def __init__(
        self,
        max_depth: int = 8,
        min_depth: int = 2,
        operations: Sequence[str] = OPERATIONS,
        kernels: Sequence[int] = (3, 5, 7),
        widths: Sequence[int] = (16, 32, 64),
        strides: Sequence[int] = (1, 2),
        max_downsamplings: int = 3,
    ) -> None:
        self.min_depth, self.max_depth, self.max_downsamplings = min_depth, max_depth, max_downsamplings
        self._width = 1.0  # scale of the channels in networks
        self.choices: tuple[tuple[Any, ...], ...] = (tuple(operations), tuple(kernels), tuple(widths), tuple(strides))
        self._check_settings()
        layer = [Decision(name, c, prefix=p) for name, c, p in zip(_PARTS, self.choices, _PREFIXES, strict=True)]
        super().__init__(self.name, (), [Group("layer", tuple(range(min_depth, max_depth + 1)), tuple(layer))])
        places = [self._layout.places[slot.target] for slot in self.schema.slots]
        # Layer (from 0) and part of every decision; the decision about the depth is layer -1.
        self._layer, self._part = (np.array([getattr(p, x) for p in places]) for x in ("layer", "place"))
        self._off = len(self.schema.node_labels) - 1
        self._stride2 = self.schema.node_labels.index("s2") if 2 in self.choices[_STRIDE] else -1
        if self.size == 1:
            raise ConfigError(f"{self.name}: expected settings that leave a choice, got a single architecture.")

    def _check_settings(self) -> None:
        operations, kernels, widths, strides = self.choices
        lowest, highest, most = self.min_depth, self.max_depth, self.max_downsamplings
        rules = (
            (1 <= lowest <= highest, f"1 <= min_depth <= max_depth, got {lowest} and {highest}"),
            (set(operations) <= set(OPERATIONS), f"operations out of {OPERATIONS}, got {operations}"),
            (all(k > 0 and k % 2 for k in kernels), f"odd positive kernels, got {kernels}"),
            (all(w > 0 for w in widths), f"positive widths, got {widths}"),
            (set(strides) in ({1}, {1, 2}), f"strides (1,) or (1, 2), got {strides}"),
            (most >= 0, f"max_downsamplings >= 0, got {most}"),
            (all(c and len(set(c)) == len(c) for c in self.choices), f"different choices, got {self.choices}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{self.name}: expected {rule}.")

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Only ``off`` beyond the depth, never before it; at most ``max_downsamplings`` times ``s2``."""
        mask = np.repeat(self.schema.decision_mask[t][None], len(D), axis=0)
        if self._layer[t] < 0:
            return mask
        active = self._layer[t] < self.depth(D)
        mask[:, : self._off] &= active[:, None]
        mask[:, self._off] = ~active
        if self._part[t] == _STRIDE and self._stride2 >= 0:
            mask[:, self._stride2] &= self._downsamplings_left(D, t) > 0
        return mask

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Closed form: free choices of the layers to come times the ways to place their strides."""
        counts = self.legal(D, t).astype(self._stride_patterns.dtype)
        if self._layer[t] < 0:
            depths = np.arange(self.min_depth, self.max_depth + 1)
            counts[:, : len(depths)] *= self._num_tails(depths, np.full(len(depths), self.max_downsamplings))
            return counts
        after = self.depth(D) - self._layer[t] - 1  # whole layers to come
        left = self._downsamplings_left(D, t)
        at_stride = self._part[t] == _STRIDE
        rest = math.prod(len(c) for c in self.choices[self._part[t] + 1 : _STRIDE])
        tails = self._num_tails(after, left, extra_strides=0 if at_stride else 1)
        counts[:, : self._off] *= rest * tails[:, None]
        if at_stride and self._stride2 >= 0:
            counts[:, self._stride2] = (counts[:, self._stride2] > 0) * self._num_tails(after, left - 1)
        return counts

    @property
    def size(self) -> int:
        """Exact number of architectures."""
        return self._count()

    def _count(self) -> int:
        per_layer = math.prod(len(c) for c in self.choices[:_STRIDE])
        most = self.max_downsamplings if self._stride2 >= 0 else 0
        return sum(
            per_layer**d * sum(math.comb(d, j) for j in range(min(most, d) + 1))
            for d in range(self.min_depth, self.max_depth + 1)
        )

    def _num_tails(self, layers: NDArray[np.integer], left: NDArray[np.integer], extra_strides: int = 0) -> FloatArray:
        """Ways to choose ``layers`` whole layers and ``extra_strides`` strides with ``left`` downsamplings left."""
        per_layer = math.prod(len(c) for c in self.choices[:_STRIDE])
        layers, left = np.maximum(layers, 0), np.maximum(left, 0)
        placed = self._stride_patterns[layers + extra_strides, np.minimum(left, self.max_depth)]
        powers = np.array([per_layer**d for d in range(self.max_depth + 1)], dtype=placed.dtype)
        return np.asarray(powers[layers] * placed)

    @cached_property
    def _stride_patterns(self) -> FloatArray:
        """``[r, m]``: sequences of ``r`` strides with at most ``m`` twos; Python integers in large spaces."""
        m, dtype = self.max_depth, exact_counts([self._count()]).dtype
        if self._stride2 < 0:
            return np.ones((m + 1, m + 1), dtype=int).astype(dtype)
        table = [[1] * (m + 1)]  # Pascal's rule holds for sums of binomials, too
        for _ in range(m):
            above = table[-1]
            table.append([1, *(above[c] + above[c - 1] for c in range(1, m + 1))])
        return np.array(table, dtype=object).astype(dtype)

    def _downsamplings_left(self, D: NDArray[np.integer], t: int) -> NDArray[np.intp]:
        if self._stride2 < 0:
            return np.zeros(len(D), dtype=np.intp)
        before = np.flatnonzero(np.equal(self._part[:t], _STRIDE))
        used = np.count_nonzero(D[:, before] == self._stride2, axis=1)
        return np.asarray(self.max_downsamplings - used, dtype=np.intp)

    def _moves(self, D: IntArray) -> BoolArray:
        """The moves of all layered spaces, without a stride of 2 where no more is allowed, ``(b, d, L)``."""
        moves = super()._moves(D)
        if self._stride2 >= 0:
            moves[..., self._stride2] &= self._downsamplings_left(D, D.shape[1])[:, None] > 0
        return moves

    def _moved(self, D: IntArray, t: NDArray[np.intp], symbol: NDArray[np.intp]) -> IntArray:
        """As in all layered spaces; an appended copy has stride 1 where the original's 2 was the last one allowed."""
        D = super()._moved(D, t, symbol)
        crowded = np.flatnonzero(self._downsamplings_left(D, D.shape[1]) < 0)
        X, E = self.schema.from_decisions(D)
        X[crowded, 4 * self.depth(D[crowded])] = self.schema.node_labels.index("s1")
        return self.schema.to_decisions(X, E)

    def layers(self, arch: Architecture) -> list[Layer]:
        """The layers of ``arch`` from input to output."""
        labels = [self.schema.node_labels[x] for x in arch.nodes[1:] if x != self._off]
        quadruples = zip(*[iter(labels)] * 4, strict=True)
        return [Layer(op, int(k[1:]), int(w[1:]), int(s[1:])) for op, k, w, s in quadruples]

    def to_text(self, arch: Architecture) -> str:
        """One part per layer: ``conv3x3-w16-s1/separable5x5-w32-s2``."""
        return "/".join(map(str, self.layers(arch)))

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes.

        Raises:
            InvalidArchitectureError: a layer is malformed or not of this space, or the chain is too
                short, too long or downsamples too often.
        """
        layers = [Layer.parse(part) for part in text.strip().split("/")]
        if not self.min_depth <= len(layers) <= self.max_depth:
            raise InvalidArchitectureError(
                f"{self.name}: expected {self.min_depth} to {self.max_depth} layers, got {len(layers)} "
                f"in {shown(text)}."
            )
        for i, layer in enumerate(layers, start=1):
            for part, choices in zip(_PARTS, self.choices, strict=True):
                if getattr(layer, part) not in choices:
                    raise InvalidArchitectureError(
                        f"{self.name}: layer {i} has {part} {getattr(layer, part)!s:.60}; expected one of "
                        f"{shown(choices)}."
                    )
        if sum(layer.stride == 2 for layer in layers) > self.max_downsamplings:
            raise InvalidArchitectureError(
                f"{self.name}: expected at most {self.max_downsamplings} layers of stride 2, got {shown(text)}."
            )
        labels = [f"depth{len(layers)}"]
        for layer in layers:
            labels += [layer.op, f"k{layer.kernel}", f"w{layer.width}", f"s{layer.stride}"]
        labels += ["off"] * (self.schema.num_nodes - len(labels))
        return self.architecture(self.schema.symbol(t, labels[slot.target]) for t, slot in enumerate(self.schema.slots))

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Stem, the layers, BN-ReLU, global average pool and a linear classifier."""
        from gennas.spaces.macro_chain.networks import ChainNetwork

        layers = _stretched(self.layers(arch), self._depth_factor)
        return ChainNetwork([replace(layer, width=self._channels(layer.width)) for layer in layers], spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A chain of parts; shared layers have a module for each operation and kernel, and channels are slices.

        Strides and widths can be chosen, not mixed.

        Raises:
            ConfigError: another depth than the space's.
        """
        from gennas.spaces.macro_chain.networks import ChainNetwork, Choices
        from gennas.spaces.parts import sized, unmixed

        refuse_shared_depth(self.name, self._depth_factor)
        config = self.values(parts)
        rows = zip(*(config[name] for name in _PARTS), strict=True)
        layers = [Choices(op, k, unmixed(sized(self._channels, w)), stride) for op, k, w, stride in rows]
        return ChainNetwork(layers, spec, config["depth"], parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64] | None:
        """Weights of convolutions, two per channel of every batch normalisation, and the classifier, ``(b,)``."""
        if self._depth_factor != 1:  # layers were added or cut
            return None
        channels = {f"w{w}": self._channels(w) for w in self.choices[2]}
        numbers = channels | {f"k{k}": k for k in self.choices[1]}
        value = np.array([numbers.get(label, 0) for label in self.schema.node_labels], dtype=np.int64)
        nodes = population.X[:, 1:].reshape(len(population), self.max_depth, 4)
        area, width = value[nodes[..., 1]] ** 2, value[nodes[..., 2]]  # both 0 where a layer is off
        inputs = np.concatenate([width[:, :1], width[:, :-1]], axis=1)
        hidden = 4 * inputs
        by_operation = {
            "conv": area * inputs * width + 2 * width,
            "separable": (area + 2) * inputs + inputs * width + 2 * width,
            "inverted": inputs * hidden + 2 * hidden + (area + 2) * hidden + hidden * width + 2 * width,
        }
        total: NDArray[np.int64] = np.zeros(len(population), dtype=np.int64)
        for operation in self.choices[0]:
            chosen = nodes[..., 0] == self.schema.node_labels.index(operation)
            total += np.where(chosen, by_operation[operation], 0).sum(1)
        first, last = width[:, 0], width[np.arange(len(width)), np.count_nonzero(width, axis=1) - 1]
        stem = 9 * spec.image_channels(self.name) * first + 2 * first
        total += stem + 2 * last + (last + 1) * spec.num_outputs
        return total

    def _channels(self, width: int) -> int:
        """Channels of networks where the label says ``width``."""
        return max(1, round(width * self._width))

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> MacroChain:
        """The same space with ``width`` times the channels and ``depth`` times the layers of every stage.

        A stage begins at the first layer and at every layer of stride 2. It is cut from its end, or its last
        layer is repeated with stride 1. Labels stay the same.
        """
        space = copy(self)
        space._width = self._width * width
        if depth != 1:
            space._depth_factor = self._depth_factor * depth
        return space


def _stretched(layers: Sequence[Layer], factor: float) -> list[Layer]:
    """``factor`` times the layers of each stage."""
    stages: list[list[Layer]] = []
    for layer in layers:
        if layer.stride > 1 or not stages:
            stages.append([])
        stages[-1].append(layer)
    found = []
    for stage in stages:
        count = scaled_count(len(stage), factor)
        found += [*stage[:count], *[replace(stage[-1], stride=1)] * (count - len(stage))]
    return found
