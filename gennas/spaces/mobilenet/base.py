"""The base class of spaces whose networks are inverted bottlenecks in a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.layered.decision import Value
from gennas.spaces.mobilenet.blocks import Block, Skeleton, check_scale, make_divisible
from gennas.spaces.scaling import refuse_depth
from gennas.spaces.spec import TaskSpec
from gennas.spaces.strides import kept_strides

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts, Size

__all__ = ["MobileSpace"]


class MobileSpace(LayeredSpace):
    """Stages of blocks between a stem and a head; what a layer is depends on its place and its own decisions.

    A subclass gives :meth:`block` and :meth:`skeleton`. Networks have the published strides on large images. On small
    ones the first strides are left out until the last feature map has a side of ``min_side``: at 32 pixels a network
    of five strides keeps the last three, at 8 pixels the last one.

    Args:
        name: name of the space.
        stages: groups of layers.
        whole: decisions of the whole network.
        width_mult: factor of all channels, which are rounded to multiples of 8.
        min_side: least side of the last feature map; 1 keeps all the published strides.
    """

    def __init__(
        self,
        name: str,
        stages: Sequence[Group],
        whole: Sequence[Decision] = (),
        width_mult: float = 1,
        min_side: int = 4,
    ) -> None:
        check_scale(name, width_mult, min_side)
        self.width_mult, self.min_side = float(width_mult), min_side
        super().__init__(name, whole, stages)

    @abstractmethod
    def skeleton(self) -> Skeleton:
        """What surrounds the searched layers."""

    @abstractmethod
    def block(self, stage: int, layer: int, values: Mapping[str, Value]) -> Block:
        """The block of a layer, both counted from 0, with its published stride."""

    def resolution(self, config: Mapping[str, Any]) -> int:
        """The side to which a network scales its images; 0 where it takes them as they come."""
        return 0

    def channels(self, width: float) -> int:
        """Channels of a network where the published one has ``width``."""
        return make_divisible(width * self.width_mult)

    def blocks(self, arch: Architecture) -> list[Block]:
        """The searched blocks of ``arch`` with their published strides."""
        return [self.block(*place) for place in self._layers(self.config(arch))]

    def _layers(self, config: Mapping[str, Any]) -> Iterator[tuple[int, int, dict[str, Value]]]:
        for g, group in enumerate(self._layout.groups):
            start = self._layout.prefix(g)
            for layer in range(config[f"{start}depth"]):
                yield g, layer, {d.name: config[f"{start}{d.name}"][layer] for d in group.layer}

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The network for images, with the strides that their size bears.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.parts import Plain

        return self._assembled(Plain(arch), spec, self.resolution(self.config(arch)))

    def _assembled(self, parts: Parts, spec: TaskSpec, resolution: int = 0) -> nn.Module:
        """Stem, the rows of every stage, head.

        Strides stand in the first layers of stages, which every architecture has, so that they are those of all.
        """
        from gennas.spaces.mobilenet.networks import MobileNetwork, block_module

        spec.image_channels(self.name)
        skeleton, config = self.skeleton(), self.values(parts)
        first = [] if skeleton.first is None else [skeleton.first]
        leading = [self.block(g, 0, self._first_values(g)) for g in range(len(self._layout.groups))]
        published = [skeleton.stem_stride, *(block.stride for block in (*first, *leading))]
        side = resolution or min(spec.input_shape[1:])
        stem, *strides = kept_strides(published, side, self.min_side)
        rows: list[tuple[Size, Callable[[int], nn.Module]]] = []
        if skeleton.first is not None:
            block = replace(skeleton.first, stride=strides.pop(0))
            rows.append((1, lambda _: block_module(block)))
        rows += [
            (config[f"{self._layout.prefix(g)}depth"], partial(self._layer, parts, config, g, strides[g]))
            for g in range(len(self._layout.groups))
        ]
        return MobileNetwork(replace(skeleton, stem_stride=stem), rows, leading[-1].outputs, spec, resolution, parts)

    def _layer(self, parts: Parts, config: Mapping[str, Any], stage: int, stride: int, layer: int) -> nn.Module:
        """The module of a layer, or of all that may stand there; ``stride`` is that of its stage's first one."""
        from gennas.spaces.mobilenet.networks import block_module
        from gennas.spaces.parts import Elastic

        start, by = self._layout.prefix(stage), 1 if layer else stride
        values = {d.name: config[f"{start}{d.name}"][layer] for d in self._layout.groups[stage].layer}
        elastic = values.get("op")
        if not isinstance(elastic, Elastic):
            return block_module(replace(self.block(stage, layer, values), stride=by), parts)
        (decision,) = elastic.decisions

        def make(symbol: int) -> nn.Module | None:
            op = elastic.at({decision: symbol})
            return None if op is None else block_module(replace(self.block(stage, layer, {"op": op}), stride=by))

        made = parts.choice(decision, make)
        assert made is not None  # a place always has candidates
        return made

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Parameters of stem and head, and of every layer that is there, ``(b,)``."""
        spec.image_channels(self.name)
        last = self.block(len(self._layout.groups) - 1, 0, self._first_values(-1)).outputs
        total = np.full(len(population), self.skeleton().num_parameters(last, spec), dtype=np.int64)
        for g, group in enumerate(self._layout.groups):
            start = self._layout.prefix(g)
            for layer in range(group.depths[-1]):
                for values in product(*(d.at(layer) for d in group.layer)):
                    named = dict(zip((d.name for d in group.layer), values, strict=True))
                    chosen = [self.chosen(population, f"{start}{name}", v)[:, layer] for name, v in named.items()]
                    total += np.logical_and.reduce(chosen) * self.block(g, layer, named).num_parameters
        return total

    def _first_values(self, group: int) -> dict[str, Value]:
        return {d.name: d.at(0)[0] for d in self._layout.groups[group].layer}

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> Self:
        """The same space with ``width`` times the channels in its networks, in multiples of 8.

        Raises:
            ConfigError: another depth, which is what the space chooses.
        """
        refuse_depth(self.name, depth)
        space = copy(self)
        space.width_mult = self.width_mult * width
        return space

    # ------------------------------------------------------------------ text of stages of fixed depth

    def _operations_text(self, arch: Architecture) -> str:
        """Words of the layers, ``a,b|c,d``, for spaces in which a layer is one word."""
        config = self.config(arch)
        return "|".join(",".join(config[f"{self._layout.prefix(g)}op"]) for g in range(len(self._layout.groups)))

    def _from_operations(self, stages: Sequence[Sequence[str]]) -> Architecture:
        """The architecture with these words, by stage."""
        groups = self._layout.groups
        if len(stages) != len(groups):
            raise InvalidArchitectureError(f"{self.name}: expected {len(groups)} stages, got {len(stages)}.")
        config: dict[str, Any] = {}
        for group, words in zip(groups, stages, strict=True):
            config |= {f"{group.name}.depth": group.depths[-1], f"{group.name}.op": list(words)}
        return self.from_config(config)
