"""TransNAS-Bench-101, micro: 4,096 cells of four operations on six edges.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural
Architecture Search", CVPR 2021, arXiv 2105.11871.
"""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, Population
from gennas.spaces.base import SPACES, Space
from gennas.spaces.scaling import scaled_count
from gennas.spaces.spec import TaskSpec
from gennas.spaces.strides import kept_strides
from gennas.spaces.transnas.skeleton import MODULES, Place, channels, check_skeleton, places, stem_parameters

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["TransNASMicro"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
_TEXT = re.compile(r"([0-9]{1,9})-([1-4]+)-([0-3])_([0-3]{2})_([0-3]{3})")


@SPACES.register("transnas-micro")
class TransNASMicro(Space):
    """Four nodes; each of the six edges carries nothing (0), a skip (1), a 1x1 (2) or a 3x3 convolution (3).

    The network is a stem, modules of two cells by the digits of ``modules`` (2 doubles the width, 3 halves the
    resolution, 4 both), and a classifier. The text form is the published one, ``64-41414-1_02_333``: width, modules,
    and for each node the operations from the nodes before it. All 4,096 cells count, although some compute the same.

    Args:
        width: channels after the stem.
        modules: digits of the modules.
        blocks: cells in each module.
        min_side: least side of the last feature map: on images of 96 pixels or fewer the first strides of the
            published five are left out, those of the stem before those of the modules; 1 keeps all.

    Raises:
        ConfigError: settings out of range.

    Example:
        >>> space = TransNASMicro()
        >>> space.size
        4096
        >>> space.to_text(space.from_text("64-41414-1_02_333"))
        '64-41414-1_02_333'
    """

    name = "transnas-micro"

    def __init__(self, width: int = 64, modules: str = "41414", blocks: int = 2, min_side: int = 4) -> None:
        check_skeleton(self.name, width, blocks, min_side)
        if not modules or set(modules) - set("1234"):
            raise ConfigError(f"{self.name}: expected digits 1 to 4 as modules, got {shown(modules)}.")
        self.width, self.modules, self.blocks, self.min_side = width, modules, blocks, min_side
        self._factor = 1.0
        node_mask = np.zeros((4, 3), dtype=bool)
        node_mask[np.arange(4), [0, 1, 1, 2]] = True
        edge_mask = np.zeros((4, 4, len(OPERATIONS)), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[np.triu_indices(4, 1)] = True
        self.schema = GraphSchema(self.name, ("input", "sum", "output"), OPERATIONS, node_mask, edge_mask)

    def to_text(self, arch: Architecture) -> str:
        """Width, modules, and by node the operations from the nodes before it: ``64-41414-1_02_333``."""
        nodes = ["".join(str(arch.edges[u, v]) for u in range(v)) for v in (1, 2, 3)]
        return f"{self.width}-{self.modules}-{'_'.join(nodes)}"

    def from_text(self, text: str) -> Architecture:
        """Read a published text.

        Raises:
            InvalidArchitectureError: another form, or of another width or other modules.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitectureError(
                f"{self.name}: expected a text like '{self.width}-{self.modules}-1_02_333', got {shown(text)}."
            )
        if (match[1], match[2]) != (str(self.width), self.modules):
            raise InvalidArchitectureError(
                f"{self.name}: expected width and modules {self.width}-{self.modules}, got {shown(match[0])}; "
                "a space of others takes width=… and modules=…."
            )
        return self.architecture([int(digit) for node in match.groups()[2:] for digit in node])

    def _places(self) -> list[Place]:
        modules = [MODULES[int(digit) - 1] for digit in self.modules]
        return list(places(modules, channels(self.width, self._factor), self.blocks))

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The published skeleton with this cell, and with the strides that the image bears.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The published skeleton, of parts.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.transnas.networks import Cell, TransNASNetwork

        spec.image_channels(self.name)
        found = self._places()
        published = [2, 2, *(place.stride for place in found)]
        strides = kept_strides(published, min(spec.input_shape[1:]), self.min_side)
        labels = self.schema.edge_labels
        cells = [Cell(parts, labels, place, stride) for place, stride in zip(found, strides[2:], strict=True)]
        return TransNASNetwork(channels(self.width, self._factor), strides[:2], cells, found[-1].outputs, spec)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of stem, head and all edges of all cells, ``(b,)``."""
        found, width = self._places(), channels(self.width, self._factor)
        base = stem_parameters(spec.image_channels(self.name), width) + (found[-1].outputs + 1) * spec.num_outputs
        total = np.full(len(population), base, dtype=np.int64)
        for place in found:
            for u in range(3):
                here = place if u == 0 else Place(place.outputs, place.outputs, 1)
                skip = 0 if here.keeps_shape else (here.inputs + 2) * here.outputs
                cost = np.array(
                    [0, skip, *((area * here.inputs + 2) * here.outputs for area in (1, 9))], dtype=np.int64
                )
                total += cost[population.E[:, u, u + 1 :]].sum(1)
        return total

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> TransNASMicro:
        """The same space with ``width`` times the channels (even) and ``depth`` times the cells of a module."""
        space = copy(self)
        space._factor, space.blocks = self._factor * width, scaled_count(self.blocks, depth)
        return space
