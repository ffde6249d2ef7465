"""Fusion of two modalities: cells that each combine two features or earlier cells.

After Yin, Huang and Zhang, "BM-NAS: Bilevel Multimodal Neural Architecture Search", AAAI 2022, arXiv 2104.09379,
whose upper level it is: which features are fused by which operation.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

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

__all__ = ["FEATURES", "OPERATIONS", "Fusion"]

OPERATIONS = ("sum", "attention", "linear-glu", "concat-fc")
FEATURES = ("a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4")
"""Features of the two inputs, from shallow to deep."""
_CELL = re.compile(r"([a-z-]+)~([a-z0-9]+),([a-z0-9]+)")


@SPACES.register("fusion")
class Fusion(InDegreeSpace):
    r"""Two encoders give four features each; every fusion cell combines two of them or of the cells before it.

    A cell chooses its operation among ``sum``, ``attention`` (scaled dot product: the first source asks, the second
    answers), ``linear-glu`` (a gated linear unit of both) and ``concat-fc`` (a linear layer of both, and ReLU). The
    outputs of all cells are classified together. With :math:`N` cells the space holds

    .. math:: \prod_{i=0}^{N-1} 4 \binom{8 + i}{2}

    architectures: 16,128 with two cells, 2,903,040 with three. Both are sampled uniformly. The text names every cell's
    operation and sources: ``sum~a4,b4|attention~b2,cell1``.

    Args:
        cells: fusion cells.
        width: numbers in each of the four tokens of a feature.

    Raises:
        ConfigError: no cells or no width.

    Example:
        >>> space = Fusion()
        >>> space.size
        16128
        >>> space.plan(space.from_text("sum~a4,b4|attention~b2,cell1"))
        [('sum', 3, 7), ('attention', 5, 8)]
    """

    name = "fusion"

    def __init__(self, cells: int = 2, width: int = 16) -> None:
        if cells < 1 or width < 1:
            raise ConfigError(f"fusion: expected at least one cell and a width of 1, got {cells} and {width}.")
        self.cells, self.width = cells, width
        self._names = (*FEATURES, *(f"cell{i + 1}" for i in range(cells)))
        n, first = len(self._names) + 1, len(FEATURES)
        labels = (*OPERATIONS, *FEATURES, "output")
        node_mask = np.zeros((n, len(labels)), dtype=bool)
        node_mask[np.arange(first), len(OPERATIONS) + np.arange(first)] = True
        node_mask[first:-1, : len(OPERATIONS)] = True
        node_mask[-1, -1] = True
        edge_mask = np.zeros((n, n, 2), dtype=bool)
        edge_mask[..., 0] = True
        for v in range(first, n - 1):
            edge_mask[:v, v] = True
            edge_mask[v, -1] = [False, True]
        names = (*self._names, "output")
        schema = GraphSchema(self.name, labels, ("none", "use"), node_mask, edge_mask, names)
        super().__init__(schema, dict.fromkeys(range(first, n - 1), 2))

    def plan(self, arch: Architecture) -> list[tuple[str, int, int]]:
        """Operation and sources of every cell; sources 0 to 7 are the features, 8 the first cell."""
        found = []
        for v in range(len(FEATURES), len(self._names)):
            a, b = np.flatnonzero(arch.edges[:, v]).tolist()
            found.append((OPERATIONS[arch.nodes[v]], a, b))
        return found

    def to_text(self, arch: Architecture) -> str:
        """Operation and sources of every cell: ``sum~a4,b4|attention~b2,cell1``."""
        return "|".join(f"{op}~{self._names[a]},{self._names[b]}" for op, a, b in self.plan(arch))

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes; the two sources may come in any order.

        Raises:
            InvalidArchitectureError: not as many cells, an unknown operation, or sources that are equal or not before
                their cell.
        """
        parts = [_CELL.fullmatch("".join(part.split())) for part in text.split("|")]
        if len(parts) != self.cells or None in parts:
            raise InvalidArchitectureError(
                f"{self.name}: expected {self.cells} cells like 'sum~a4,b4' joined by '|', got {shown(text)}."
            )
        nodes = self.schema.node_mask.argmax(1).astype(np.int16)
        edges = np.zeros((len(nodes), len(nodes)), dtype=np.int16)
        for v, match in enumerate((match for match in parts if match is not None), start=len(FEATURES)):
            operation, sources = match[1], match.groups()[1:]
            known = self._names[:v]
            if operation not in OPERATIONS or not set(sources) <= set(known) or sources[0] == sources[1]:
                raise InvalidArchitectureError(
                    f"{self.name}: expected {self._names[v]} as an operation out of {', '.join(OPERATIONS)} and two "
                    f"different sources out of {', '.join(known)}, got {shown(match[0])}."
                )
            nodes[v] = OPERATIONS.index(operation)
            edges[[known.index(source) for source in sources], v] = 1
        return self.architecture(self.schema.to_decisions(nodes[None], edges[None])[0])

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> Fusion:
        """The same space with ``width`` times the numbers in a token.

        Raises:
            ConfigError: another depth is asked for; cells are what is searched.
        """
        if depth != 1:
            raise ConfigError("fusion: the cells are what is searched, there is no depth fidelity; leave depth at 1.")
        return Fusion(self.cells, max(1, round(self.width * width)))

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Two encoders, the cells, a linear classifier of their mean tokens."""
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; in a shared one every cell has one module for each operation.

        In a mixture a cell reads weighted sums of what may be its first source and of what may be its second.
        """
        from gennas.spaces.fusion.networks import FusionCell, FusionNetwork

        spec.require(self.name, "pair")
        slots = {(slot.source, slot.target): t for t, slot in enumerate(self.schema.slots)}

        def cell(decision: int) -> nn.Module | None:
            return parts.choice(decision, lambda symbol: FusionCell(OPERATIONS[symbol], self.width))

        nodes = range(len(FEATURES), len(self._names))
        cells = [(partial(cell, slots[None, v]), {u: slots[u, v] for u in range(v)}) for v in nodes]
        return FusionNetwork(cells, spec, self.width, parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of the encoders, of every cell's operation and norm, and of the classifier, ``(b,)``."""
        from gennas.spaces.fusion.networks import encoder_parameters

        spec.require(self.name, "pair")
        c = self.width
        fixed = sum(encoder_parameters(shape, c) for shape in (spec.input_shape, spec.second_shape))
        fixed += self.cells * 2 * c + (self.cells * c + 1) * spec.num_outputs
        own = np.zeros(len(self.schema.node_labels), dtype=np.int64)
        own[[OPERATIONS.index("linear-glu"), OPERATIONS.index("concat-fc")]] = (2 * c + 1) * 2 * c, (2 * c + 1) * c
        total: NDArray[np.int64] = own[population.X].sum(1) + fixed
        return total
