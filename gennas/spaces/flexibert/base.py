"""What FlexiBERT and NAS-Bench-BERT share: building and exact counting."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.spaces.base import FloatArray
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import refuse_shared_depth, rounded_to, stretched, stretched_layers
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.flexibert.networks import EncoderLayer
    from gennas.spaces.parts import Parts

__all__ = ["EncoderSpace"]

OPERATIONS = ("sa-sdp", "sa-wma", "lt-dft", "lt-dct", "dsc-5", "dsc-9")
DEPTHS, HIDDEN, HEADS, FEED_FORWARD, STACKS = (2, 4), (128, 256), (2, 4), (512, 1024), (1, 3)
IntegerArray = NDArray[np.int64]


class EncoderSpace(LayeredSpace):
    """Encoders of 2 or 4 layers, each with its operation, heads and feed-forward stack.

    Args:
        name: name of the space.
        whole: decisions of the whole network.
        layer: decisions of a layer.
        context: longest input; by default the task's.

    Raises:
        ConfigError: the context is not positive.
    """

    def __init__(self, name: str, whole: Sequence[Decision], layer: Sequence[Decision], context: int | None) -> None:
        if context is not None and context < 1:
            raise ConfigError(f"{name}: expected a positive context, got {context}.")
        self.context = context
        self._width = self._depth_factor = 1.0
        super().__init__(name, whole, [Group("layer", DEPTHS, tuple(layer))])

    @abstractmethod
    def _encoder_layers(self, config: Mapping[str, Any]) -> list[EncoderLayer]:
        """The layers of an architecture, or all that there may be, in channels of the labels."""

    @abstractmethod
    def _widths(self, population: Population) -> tuple[IntegerArray, list[IntegerArray]]:
        """Channels of each layer and widths of its stacked feed-forward layers, 0 where off, each ``(b, layers)``."""

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Embedding with learned positions, the layers, and a linear head on each token or on their mean.

        Raises:
            ConfigError: another kind of task (an encoder sees what follows, so that it is no language model), or
                texts longer than the context.
        """
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """An encoder of parts; in a shared one each operation and each stack has its own modules, sizes are slices.

        Heads and channels can be chosen, not mixed; queries, keys and values stay apart whatever they are.

        Raises:
            ConfigError: as :meth:`build`, or another depth than the space's.
        """
        from gennas.spaces.flexibert.networks import EncoderNetwork
        from gennas.spaces.parts import Elastic, sized, unmixed

        spec.require(self.name, "text", "tagging")
        config = self.values(parts)
        layers = [
            replace(
                layer,
                hidden=unmixed(sized(self._channels, layer.hidden)),
                feed_forward=[sized(self._scaled, f) for f in layer.feed_forward],
            )
            for layer in stretched(self._encoder_layers(config), self._depth_factor)
        ]
        depth = config["depth"] if isinstance(config["depth"], Elastic) else len(layers)
        if isinstance(depth, Elastic):
            refuse_shared_depth(self.name, self._depth_factor)
        return EncoderNetwork(layers, spec, self.context, depth, parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> IntegerArray:
        """Parameters of the built networks, ``(b,)``: the formulas of :mod:`gennas.spaces.flexibert.networks`."""
        which = stretched_layers(self.depth(population.decisions), self._depth_factor)
        is_there = which >= 0

        def at_layers(values: NDArray[np.generic]) -> IntegerArray:
            found: IntegerArray = np.take_along_axis(values, np.maximum(which, 0), axis=1).astype(np.int64) * is_there
            return found

        hidden, feed_forward = self._widths(population)
        hidden = at_layers(hidden)
        layers = self._operation_parameters(population, hidden, at_layers) + 4 * hidden
        width = hidden
        for after in map(at_layers, feed_forward):
            layers += np.where(after > 0, width * after + after, 0)
            width = np.where(after > 0, after, width)
        layers += width * hidden + hidden
        before, changed = hidden[:, :-1], (hidden[:, 1:] > 0) & (hidden[:, 1:] != hidden[:, :-1])
        layers[:, 1:] += changed * (before + 1) * hidden[:, 1:]
        first, last = hidden[:, 0], hidden[np.arange(len(hidden)), is_there.sum(1) - 1]
        embeddings = first * (spec.vocabulary + (self.context or spec.input_shape[0]) + 2)
        total: IntegerArray = (layers * is_there).sum(1) + embeddings + (last + 1) * spec.num_outputs
        return total

    def _operation_parameters(
        self, population: Population, h: IntegerArray, at_layers: Callable[[NDArray[np.generic]], IntegerArray]
    ) -> IntegerArray:
        """Parameters of each layer's operation, ``(b, layers)``."""
        heads, total = at_layers(self.column(population, "heads")), np.zeros_like(h)
        for operation in OPERATIONS:
            kind, _, parameter = operation.partition("-")
            if kind == "sa":
                count = 4 * h**2 + 4 * h + (parameter == "wma") * h**2
            elif kind == "lt":
                count = h**2 + h
            else:
                kernel = int(parameter)
                count = 7 * h * (h + 1) // 2 + kernel * h + (h // 2 + 1) * (heads // 2) * kernel
            total += at_layers(self.chosen(population, "operation", operation)) * count
        return total

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> Self:
        """The same space with ``width`` times the channels (a multiple of 4) and ``depth`` times the layers."""
        space = copy(self)
        space._width, space._depth_factor = self._width * width, self._depth_factor * depth
        return space

    @staticmethod
    def _mapped(values: FloatArray, size: Callable[[float], int]) -> IntegerArray:
        """Sizes in networks for numbers of labels; 0 stays 0."""
        found = np.zeros(values.shape, dtype=np.int64)
        for value in np.unique(values[values > 0]):
            found[values == value] = size(float(value))
        return found

    def _channels(self, hidden: float) -> int:
        return rounded_to(hidden * self._width, HEADS[-1])

    def _scaled(self, feed_forward: float) -> int:
        return rounded_to(feed_forward * self._width, 1)
