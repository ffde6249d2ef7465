"""TransNAS-Bench-101, macro: 3,256 skeletons of four to six modules.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural
Architecture Search", CVPR 2021, arXiv 2105.11871.
"""

from __future__ import annotations

import re
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError, shown
from gennas.graph import Architecture, IntArray, Population
from gennas.spaces.base import SPACES, BoolArray, FloatArray
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import scaled_count
from gennas.spaces.spec import TaskSpec
from gennas.spaces.strides import kept_strides
from gennas.spaces.transnas.skeleton import MODULES, channels, check_skeleton, stem_parameters

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts, Size

__all__ = ["TransNASMacro"]

_DEPTHS, _HALVINGS, _DOUBLINGS = (4, 5, 6), (1, 4), (1, 3)  # the last two: least and most
_TEXT = re.compile(r"([0-9]{1,9})-([1-4]+)-basic")


@SPACES.register("transnas-macro")
class TransNASMacro(LayeredSpace):
    r"""Four to six modules, each plain (1), of double width (2), of half resolution (3), or both (4).

    One to four modules halve the resolution and one to three double the width, which leaves 210 + 750 + 2,296 =
    3,256 skeletons. A module is two residual blocks, of which the first halves and doubles. The text form is
    the published one, ``64-1234-basic``: width after the stem, and a digit for each module.

    Appending a copy of the last module, where that would halve or double too often, appends a plain one.

    Args:
        width: channels after the stem.
        blocks: residual blocks in each module.
        min_side: least side of the last feature map of a network with four halvings: on images of 192 pixels or fewer
            strides of the stem are left out, the same ones in all networks; those of the modules stay.

    Raises:
        ConfigError: settings out of range.

    Example:
        >>> space = TransNASMacro()
        >>> space.size
        3256
        >>> space.from_text("64-1234-basic")
        Architecture(transnas-macro: depth4 plain double half both off off)
    """

    name = "transnas-macro"

    def __init__(self, width: int = 64, blocks: int = 2, min_side: int = 4) -> None:
        check_skeleton(self.name, width, blocks, min_side)
        self.width, self.blocks, self.min_side = width, blocks, min_side
        self._factor = 1.0
        super().__init__(self.name, (), [Group("module", _DEPTHS, (Decision("op", MODULES),))])
        labels = self.schema.node_labels
        # (L,): whether a label halves, and whether it doubles
        self._halves = np.array([label in ("half", "both") for label in labels])
        self._doubles = np.array([label in ("double", "both") for label in labels])

    # ------------------------------------------------------------------ what is legal

    @cached_property
    def _ways(self) -> NDArray[np.int64]:
        """``[r, h, d]``: ways to choose ``r`` more modules after ``h`` halvings and ``d`` doublings, ``(7, 8, 8)``."""
        most = _DEPTHS[-1]
        ways = np.zeros((most + 1, most + 2, most + 2), dtype=np.int64)
        inside = [np.arange(most + 2) >= low for low, _ in (_HALVINGS, _DOUBLINGS)]
        below = [np.arange(most + 2) <= high for _, high in (_HALVINGS, _DOUBLINGS)]
        ways[0] = np.outer(inside[0] & below[0], inside[1] & below[1])
        for r in range(1, most + 1):
            for halves in (0, 1):
                for doubles in (0, 1):
                    end = most + 2
                    ways[r, : end - halves, : end - doubles] += ways[r - 1, halves:, doubles:]
        return ways

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Labels after which the numbers of halvings and doublings can still be right."""
        return self.completions(D, t) > 0

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Number of skeletons after each label, by the halvings and doublings so far and the modules to come."""
        counts = np.zeros((len(D), self.schema.num_symbols))
        labels = len(self.schema.node_labels)
        if t == 0:
            counts[:, : len(_DEPTHS)] = [self._ways[depth, 0, 0] for depth in _DEPTHS]
            return counts
        there = self.depth(D) >= t
        halved, doubled = self._so_far(D[:, 1:t])
        left = np.maximum(self.depth(D) - t, 0)[:, None]
        modules = np.arange(len(_DEPTHS), labels - 1)
        halved, doubled = halved[:, None] + self._halves[modules], doubled[:, None] + self._doubles[modules]
        counts[:, modules] = self._ways[left, halved, doubled] * there[:, None]
        counts[:, labels - 1] = ~there
        return counts

    def _so_far(self, D: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of halvings and of doublings among modules ``(b, m)``."""
        return self._halves[D].sum(1), self._doubles[D].sum(1)

    @property
    def size(self) -> int:
        """Exact number of architectures."""
        return int(sum(self._ways[depth, 0, 0] for depth in _DEPTHS))

    def _moves(self, D: IntArray) -> BoolArray:
        """Another module in one place, or one module more or less, where the result is in the space, ``(b, d, L)``."""
        moves = super()._moves(D)
        rows, t, symbol = np.nonzero(moves)
        X, E = self.schema.from_decisions(self._moved(D[rows], t, symbol))
        moves[rows, t, symbol] = self.is_valid(Population(self.schema, X, E))
        return moves

    def _moved(self, D: IntArray, t: NDArray[np.intp], symbol: NDArray[np.intp]) -> IntArray:
        """As in all layered spaces; an appended copy is plain where it would halve or double too often."""
        D = super()._moved(D, t, symbol)
        halved, doubled = self._so_far(D[:, 1:])
        crowded = np.flatnonzero((t == 0) & ((halved > _HALVINGS[1]) | (doubled > _DOUBLINGS[1])))
        D[crowded, self.depth(D[crowded])] = self.schema.node_labels.index(MODULES[0])
        return D

    # ------------------------------------------------------------------ text

    def to_text(self, arch: Architecture) -> str:
        """Width and a digit for each module: ``64-1234-basic``."""
        digits = "".join(str(MODULES.index(module) + 1) for module in self.config(arch)["op"])
        return f"{self.width}-{digits}-basic"

    def from_text(self, text: str) -> Architecture:
        """Read a published text.

        Raises:
            InvalidArchitectureError: another form or width, or halvings or doublings out of bounds.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None or match[1] != str(self.width):
            raise InvalidArchitectureError(
                f"{self.name}: expected a text like '{self.width}-1234-basic', got {shown(text)}."
            )
        digits = match[2]
        halved, doubled = (sum(digits.count(d) for d in some) for some in ("34", "24"))
        for what, got, (low, high) in (
            ("modules", len(digits), (_DEPTHS[0], _DEPTHS[-1])),
            ("modules of half resolution (3 and 4)", halved, _HALVINGS),
            ("modules of double width (2 and 4)", doubled, _DOUBLINGS),
        ):
            if not low <= got <= high:
                raise InvalidArchitectureError(
                    f"{self.name}: expected {low} to {high} {what}, got {got} in {shown(text)}."
                )
        return self.from_config({"depth": len(digits), "op": [MODULES[int(digit) - 1] for digit in digits]})

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Stem, modules of residual blocks, average over all places, classifier.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; in a shared one channels are slices, and the first modules run.

        Strides and widths can be chosen, not mixed.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.parts import Elastic, largest, sized
        from gennas.spaces.transnas.networks import ResidualBlock, TransNASNetwork

        spec.image_channels(self.name)
        config, width = self.values(parts), channels(self.width, self._factor)
        strides = [sized(lambda op: 2 if op in ("half", "both") else 1, op) for op in config["op"]]
        widths: list[Size] = [width]
        for op in config["op"]:
            widths.append(self._widened(widths[-1], op, width))

        def block(i: int) -> nn.Module:
            m, is_first = i // self.blocks, i % self.blocks == 0
            inputs, stride = (widths[m], strides[m]) if is_first else (widths[m + 1], 1)
            return ResidualBlock(inputs, widths[m + 1], stride, parts)

        rows = parts.rows([(sized(lambda depth: depth * self.blocks, config["depth"]), block)])
        stem = kept_strides([2] * (2 + _HALVINGS[1]), min(spec.input_shape[1:]), self.min_side)[:2]
        last = max(map(largest, widths)) if isinstance(config["depth"], Elastic) else widths[-1]
        return TransNASNetwork(width, stem, rows, last, spec, parts)

    @staticmethod
    def _widened(width: Size, op: Any, least: int) -> Size:
        """Channels after a module; of all that a shared network may have those with a legal number of doublings."""
        from gennas.spaces.parts import Elastic, sized, unmixed

        wider = sized(lambda c, module: 2 * c if module in ("double", "both") else c, width, op)
        if not isinstance(wider, Elastic):
            return int(wider)
        most = least * 2 ** _DOUBLINGS[1]
        return unmixed(Elastic(wider.decisions, {s: c for s, c in wider.table.items() if c <= most}))

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of stem, residual blocks and head, ``(b,)``."""
        width = np.full(len(population), channels(self.width, self._factor), dtype=np.int64)
        total = np.full(
            len(population), stem_parameters(spec.image_channels(self.name), int(width[0]) if len(width) else 2)
        )
        for i in range(_DEPTHS[-1]):
            label = population.X[:, i + 1]
            there = label < len(self.schema.node_labels) - 1
            outputs = np.where(self._doubles[label], 2 * width, width)
            changes = self._halves[label] | self._doubles[label]
            first = (9 * width + 2) * outputs + (9 * outputs + 2) * outputs + changes * (width + 2) * outputs
            total += there * (first + (self.blocks - 1) * 2 * (9 * outputs + 2) * outputs)
            width = outputs
        found: NDArray[np.int64] = total + (width + 1) * spec.num_outputs
        return found

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> TransNASMacro:
        """The same space with ``width`` times the channels (even) and ``depth`` times the blocks of a module."""
        space = copy(self)
        space._factor, space.blocks = self._factor * width, scaled_count(self.blocks, depth)
        return space
