"""What the spaces of causal transformers share: building, exact counting, low fidelities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Architecture, Population
from gennas.spaces.base import FloatArray
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import refuse_shared_depth, stretched, stretched_layers
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.gpt.networks import Layer
    from gennas.spaces.parts import Parts, Size

__all__ = ["CausalSpace", "Positions", "Residual"]

Positions = Literal["rotary", "learned"]
Residual = Literal["parallel", "sequential"]
IntegerArray = NDArray[np.int64]
KERNEL = 5


class CausalSpace(LayeredSpace):
    """Causal transformers with a choice of width and of each layer's MLP, at least.

    Args:
        name: name of the space.
        whole: decisions of the whole network; one is ``embed``.
        group: the layers; one of their decisions is ``mlp``.
        positions: ``rotary`` or ``learned``.
        rotary: share of a head's channels that rotary positions turn, in (0, 1].
        residual: mixer and MLP in ``parallel`` or ``sequential``.
        tied: whether a language model's head is the embedding's matrix.
        context: longest input; by default the task's.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(
        self,
        name: str,
        whole: Sequence[Decision],
        group: Group,
        positions: Positions,
        rotary: float,
        residual: Residual,
        tied: bool,
        context: int | None,
    ) -> None:
        rules = (
            (positions in ("rotary", "learned"), f"positions 'rotary' or 'learned', got {shown(positions)}"),
            (residual in ("parallel", "sequential"), f"residual 'parallel' or 'sequential', got {shown(residual)}"),
            (context is None or context > 0, f"a positive context, got {context}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{name}: expected {rule}.")
        self.positions, self.rotary, self.residual, self.tied = positions, rotary, residual, tied
        self.context = context
        self._width = self._depth_factor = 1.0
        super().__init__(name, whole, [group])

    # ------------------------------------------------------------------ what a subclass says

    @abstractmethod
    def _channels(self, embed: float) -> int:
        """Channels of networks where the label says ``embed``."""

    @abstractmethod
    def _layers(self, config: Mapping[str, Any], width: Size) -> list[Layer]:
        """The blocks of an architecture, or all that there may be, before the depth is scaled."""

    @abstractmethod
    def _mixers(self, population: Population, width: IntegerArray) -> IntegerArray:
        """Parameters of each layer's mixer and its normalisation, ``(b, layers)``, whatever the depth."""

    def _has_bias(self, population: Population) -> IntegerArray:
        """1 where linear layers have biases, ``(b,)``."""
        return np.ones(len(population), dtype=np.int64)

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Embedding, blocks, normalisation and head; for ``text`` the outputs are averaged before the head.

        Raises:
            ConfigError: another kind of task, or texts longer than the context.
        """
        from gennas.spaces.parts import Plain

        return self._of_parts(Plain(arch), spec, bool(self._has_bias(Population.of(self.schema, [arch]))[0]))

    def _of_parts(self, parts: Parts, spec: TaskSpec, bias: Size) -> nn.Module:
        from gennas.spaces.gpt.networks import Design, GPTNetwork
        from gennas.spaces.parts import Elastic, sized

        spec.require(self.name, "language", "tagging", "text")
        config = self.values(parts)
        width = sized(self._channels, config["embed"])
        layers = self._layers(config, width)
        if isinstance(config["depth"], Elastic):
            refuse_shared_depth(self.name, self._depth_factor)
        depth = config["depth"] if isinstance(config["depth"], Elastic) else None
        residual = self.residual == "parallel"
        design = Design(
            width, stretched(layers, self._depth_factor), bias, self.positions, self.rotary, residual, self.tied, depth,
            parts,
        )  # fmt: skip
        return GPTNetwork(design, spec, self.context)

    def count_parameters(self, population: Population, spec: TaskSpec, tied: bool | None = None) -> IntegerArray:
        r"""Parameters of the built networks, ``(b,)``.

        With channels :math:`E`, :math:`m = r E` and, in each layer, :math:`q` channels of all heads: an attention has
        :math:`4 E q + b (3 q + E)`, a convolution :math:`E^2 + 5 E + 2 b E`, an MLP :math:`2 E m + b (m + E)`, each
        with a normalisation of :math:`2 E`; then embedding, learned positions, last normalisation and head.

        Args:
            population: the architectures.
            spec: the task.
            tied: count the head of a language model as shared with the embedding, or as a matrix of its own; by
                default as built.
        """
        widths = {value: self._channels(value) for value in np.unique(self.column(population, "embed"))}
        width = np.array([widths[value] for value in self.column(population, "embed")], dtype=np.int64)
        bias = self._has_bias(population)
        hidden = np.floor(self.column(population, "mlp") * width[:, None]).astype(np.int64)
        wide, biased = width[:, None], bias[:, None]
        layers = self._mixers(population, width) + 2 * wide + 2 * wide * hidden + biased * (hidden + wide)
        tied = self.tied if tied is None else tied
        head = width * spec.num_outputs
        if spec.kind != "language":
            head = head + spec.num_outputs
        elif tied and spec.num_outputs == spec.vocabulary:
            head = 0 * head
        context = (self.context or spec.input_shape[0]) if self.positions == "learned" else 0
        total: IntegerArray = self._added_up(population, layers) + width * (spec.vocabulary + context + 2) + head
        return total

    def _added_up(self, population: Population, layers: IntegerArray) -> IntegerArray:
        """Sum over the layers of the built networks, ``(b,)``."""
        which = stretched_layers(self.depth(population.decisions), self._depth_factor)
        total: IntegerArray = (np.take_along_axis(layers, np.maximum(which, 0), axis=1) * (which >= 0)).sum(1)
        return total

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> CausalSpace:
        """The same space with ``width`` times the channels and ``depth`` times the layers in its networks.

        Channels are rounded to what the heads admit. Layers are cut from the end, or the last one is repeated.
        """
        space = copy(self)
        space._width, space._depth_factor = self._width * width, self._depth_factor * depth
        return space

    def _attention(self, width: IntegerArray, channels: FloatArray | IntegerArray, bias: IntegerArray) -> IntegerArray:
        """Parameters of attention with so many channels in all heads, and of its normalisation, ``(b, layers)``."""
        wide, q = width[:, None], np.asarray(channels, dtype=np.int64)
        return 4 * wide * q + bias[:, None] * (3 * q + wide) + 2 * wide
