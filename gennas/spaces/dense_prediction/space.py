"""Dense prediction cells: branches of dilated convolutions and pyramid pooling.

Source: Chen et al., "Searching for Efficient Multi-Scale Architectures for Dense Image Prediction", NeurIPS 2018,
arXiv 1809.04184 (DPC).
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, Population
from gennas.spaces.base import SPACES
from gennas.spaces.in_degree import InDegreeSpace
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["DPC", "DensePrediction"]

_BRANCH = re.compile(r"([a-z0-9]+)~([0-9]{1,9})")


@SPACES.register("dense-prediction")
class DensePrediction(InDegreeSpace):
    r"""Branches that each take the features or an earlier branch and apply one operation; all are concatenated.

    The operations are ``conv1x1``, ``sep{h}x{w}`` (a separable 3x3 convolution with dilations h and w) for all pairs
    of ``rates``, and ``pool{h}x{w}`` (mean over an h x w grid, 1x1 convolution, resized back) for ``grids``. With
    :math:`o` operations and :math:`B` branches the space holds

    .. math:: B!\; o^B

    cells: 13,182 of three branches and 13 operations; in the published space (:class:`DPC`) 418,414,128,120. The text
    names every branch's operation and source, 0 being the features: ``sep1x3~0|pool2x2~1|conv1x1~1``.

    Networks are a small convolutional backbone, the cell, a classifier of every pixel, and bilinear upsampling.
    Rates are in pixels of the features, which are a fourth as large as images of 16 pixels or more, half as large as
    images of 8, and as large as smaller ones: on small images choose small rates.

    Args:
        branches: branches of a cell.
        rates: dilations of separable convolutions, for rows and for columns.
        grids: rows, and columns, of pooling grids.
        square_grids: whether grids have as many rows as columns; else all pairs count.
        width: channels of the features and of every branch.

    Raises:
        ConfigError: no branches or width, or numbers that are not positive and different.

    Example:
        >>> space = DensePrediction()
        >>> space.size
        13182
        >>> space.to_text(space.from_text("sep1x3~0|pool2x2~1|conv1x1~1"))
        'sep1x3~0|pool2x2~1|conv1x1~1'
    """

    name = "dense-prediction"

    def __init__(
        self,
        branches: int = 3,
        rates: Sequence[int] = (1, 2, 3),
        grids: Sequence[int] = (1, 2, 4),
        square_grids: bool = True,
        width: int = 16,
    ) -> None:
        for numbers in (rates, grids):
            if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 1:
                raise ConfigError(f"{self.name}: expected different positive rates and grids, got {tuple(numbers)}.")
        if branches < 1 or width < 2:
            raise ConfigError(f"{self.name}: expected at least one branch and two channels, got {branches}, {width}.")
        self.branches, self.width = branches, width
        pairs = [(g, g) for g in grids] if square_grids else list(product(grids, repeat=2))
        self.operations = (
            "conv1x1",
            *(f"sep{h}x{w}" for h, w in product(rates, repeat=2)),
            *(f"pool{h}x{w}" for h, w in pairs),
        )
        n = branches + 2
        node_mask = np.zeros((n, len(self.operations) + 2), dtype=bool)
        node_mask[1:-1, : len(self.operations)] = True
        node_mask[[0, -1], [-2, -1]] = True
        edge_mask = np.zeros((n, n, 2), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[0, 1] = [False, True]
        for v in range(2, n - 1):
            edge_mask[:v, v] = True
        edge_mask[1:-1, -1] = [False, True]
        labels = (*self.operations, "features", "output")
        names = ("features", *(f"branch{v}" for v in range(1, n - 1)), "output")
        schema = GraphSchema(self.name, labels, ("none", "use"), node_mask, edge_mask, names)
        super().__init__(schema, dict.fromkeys(range(2, n - 1), 1))

    def plan(self, arch: Architecture) -> list[tuple[str, int]]:
        """Operation and source of every branch; source 0 are the features, 1 the first branch."""
        return [
            (self.operations[arch.nodes[v]], int(np.flatnonzero(arch.edges[:, v])[0]))
            for v in range(1, self.branches + 1)
        ]

    def to_text(self, arch: Architecture) -> str:
        """Operation and source of every branch: ``sep1x3~0|pool2x2~1|conv1x1~1``."""
        return "|".join(f"{operation}~{source}" for operation, source in self.plan(arch))

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes.

        Raises:
            InvalidArchitectureError: not as many branches, an unknown operation, or a source that is not before.
        """
        parts = [_BRANCH.fullmatch("".join(part.split())) for part in text.split("|")]
        found = [(match[1], int(match[2])) for match in parts if match is not None]
        if len(found) < len(parts):
            raise InvalidArchitectureError(
                f"{self.name}: expected branches like 'sep1x3~0' joined by '|', got {shown(text)}."
            )
        return self._of_plan(found)

    def from_config(self, config: Sequence[Mapping[str, Any]]) -> Architecture:
        """The cell of the official list of branches, whose inputs count from -1 (the features).

        A branch is ``{"op": "conv", "kernel": 1}``, ``{"op": "conv", "kernel": 3, "rate": [6, 21]}`` or
        ``{"op": "pyramid_pooling", "grid_size": [2, 2]}``, each with ``"input"``.

        Raises:
            InvalidArchitectureError: it has another structure, or is not in the space.
        """
        try:
            return self._of_plan([(_operation(branch), int(branch["input"]) + 1) for branch in config])
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidArchitectureError(
                f"{self.name}: expected branches with op, input and kernel, rate or grid_size, got "
                f"{reprlib.repr(config)} ({type(error).__name__}: {error})."
            ) from error

    def _of_plan(self, plan: Sequence[tuple[str, int]]) -> Architecture:
        if len(plan) != self.branches:
            raise InvalidArchitectureError(f"{self.name}: expected {self.branches} branches, got {len(plan)}.")
        nodes = self.schema.node_mask.argmax(1).astype(np.int16)
        edges = np.zeros((len(nodes), len(nodes)), dtype=np.int16)
        for v, (operation, source) in enumerate(plan, start=1):
            if operation not in self.operations:
                raise InvalidArchitectureError(
                    f"{self.name}: expected an operation out of {', '.join(self.operations)}, got {shown(operation)}."
                )
            if not 0 <= source < v:
                raise InvalidArchitectureError(
                    f"{self.name}: expected branch {v} to take the features (0) or a branch before it, got {source}."
                )
            nodes[v], edges[source, v] = self.operations.index(operation), 1
        return self.architecture(self.schema.to_decisions(nodes[None], edges[None])[0])

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> DensePrediction:
        """The same space with ``width`` times the channels.

        Raises:
            ConfigError: another depth is asked for; branches are what is searched.
        """
        if depth != 1:
            raise ConfigError(f"{self.name}: branches are what is searched, there is no depth fidelity; leave it at 1.")
        return type(self)(**{**self.options, "width": max(2, round(self.width * width))})

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Backbone, cell, classifier of every pixel, upsampling to the size of the images."""
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; in a shared one every branch has one module for each operation.

        In a mixture a branch reads the weighted sum of what it may read.
        """
        from gennas.spaces.dense_prediction.networks import DensePredictionNetwork, branch

        spec.require(self.name, "segmentation")
        slots = {(slot.source, slot.target): t for t, slot in enumerate(self.schema.slots)}

        def make(decision: int) -> nn.Module | None:
            return parts.choice(decision, lambda symbol: branch(self.operations[symbol], self.width))

        branches = [
            (partial(make, slots[None, v]), {u: slots.get((u, v)) for u in range(v)})
            for v in range(1, self.branches + 1)
        ]
        return DensePredictionNetwork(branches, spec, self.width, parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of the backbone, of every branch, and of the classifier, ``(b,)``."""
        spec.require(self.name, "segmentation")
        c, half = self.width, self.width // 2
        own = np.zeros(len(self.schema.node_labels), dtype=np.int64)
        own[: len(self.operations)] = [c * c + 2 * c + (9 * c if op.startswith("sep") else 0) for op in self.operations]
        backbone = 9 * spec.input_shape[0] * half + 2 * half + 9 * half * c + 2 * c + 2 * (9 * c * c + 2 * c)
        head = self.branches * c * c + 2 * c + (c + 1) * spec.num_outputs
        total: NDArray[np.int64] = own[population.X].sum(1) + backbone + head
        return total


def _operation(branch: Mapping[str, Any]) -> str:
    if branch["op"] == "pyramid_pooling":
        return "pool{}x{}".format(*branch["grid_size"])
    return "conv1x1" if branch["kernel"] == 1 else "sep{}x{}".format(*branch["rate"])


@SPACES.register("dpc")
class DPC(DensePrediction):
    """The published space of dense prediction cells: five branches, 81 operations, 418,414,128,120 cells.

    Its dilations are meant for features of about 33 pixels on a side and more; for small images there is
    ``dense-prediction``.

    Args:
        width: channels of the features and of every branch.

    Example:
        >>> space = DPC()
        >>> space.size, space.schema.num_decisions
        (418414128120, 19)
    """

    name = "dpc"
    reference: ClassVar[Mapping[str, str]] = {
        "DPC-Cityscapes": "sep1x6~0|sep18x15~1|sep6x3~2|sep1x1~1|sep6x21~1",
    }

    def __init__(self, width: int = 256) -> None:
        super().__init__(5, (1, 3, 6, 9, 12, 15, 18, 21), (1, 2, 4, 8), square_grids=False, width=width)
