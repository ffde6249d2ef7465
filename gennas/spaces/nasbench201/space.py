"""NAS-Bench-201: 15,625 cells with five operations on six edges.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, arXiv 2001.00326.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, Population
from gennas.spaces.base import SPACES, Space
from gennas.spaces.nasbench201.distinct import distinct_cells, representatives, same_function
from gennas.spaces.nasbench201.formats import from_naslib, from_nni
from gennas.spaces.scaling import scaled_count
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["NASBench201"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_SYMBOLS = {label: symbol for symbol, label in enumerate(OPERATIONS)}
_SKIPPED = re.compile(r"[\s\"']+")
_FORM = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")


@SPACES.register("nasbench201")
class NASBench201(Space):
    """Four nodes; each of the six edges carries one of five operations; nodes sum their inputs.

    The text form is the official one: ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|…|``; blanks and quotes are
    skipped. The tables hold one measurement for each of the 15,625 strings, so all of them count as distinct by
    default, although some compute the same function.

    With ``distinct`` the cells are the 6,466 structures that the benchmark counts (see
    :mod:`gennas.spaces.nasbench201.distinct`), each written as its first string in the order of decisions (edges 0-1,
    0-2, 1-2, 0-3, 1-3, 2-3; none, skip, 1x1, 3x3, pooling). Any string is read as its structure. A table's rows of one
    structure are merged as ``--table-duplicates`` says: their mean, or the ``first`` row of the file; of HW-NAS-Bench
    the first string's row is read.

    Args:
        num_cells: cells per stage (the published skeleton stacks 3 stages of 5).
        width: channels of the first stage (16 in the paper), doubled at each of the next two.
        distinct: whether cells of one structure are one architecture.

    Example:
        >>> space = NASBench201()
        >>> space.size
        15625
        >>> arch = space.from_text(
        ...     "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
        ... )
        >>> len(space.neighbours(arch))
        24
        >>> NASBench201(distinct=True).size
        6466
    """

    name = "nasbench201"
    distinct = False
    formats: ClassVar = {"naslib": from_naslib, "nni": from_nni}

    def __init__(self, num_cells: int = 5, width: int = 16, distinct: bool = False) -> None:
        if num_cells < 1 or width < 1:
            raise ConfigError(f"Expected at least one cell and one channel, got num_cells={num_cells}, width={width}.")
        self.num_cells, self.width = num_cells, width
        if distinct:  # noted only then: the identity of other spaces stays what it was
            self.distinct = True
        node_mask = np.zeros((4, 3), dtype=bool)
        node_mask[np.arange(4), [0, 1, 1, 2]] = True
        edge_mask = np.zeros((4, 4, len(OPERATIONS)), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[np.triu_indices(4, 1)] = True
        self.schema = GraphSchema(self.name, ("input", "sum", "output"), OPERATIONS, node_mask, edge_mask)

    @property
    def size(self) -> int:
        """Number of architectures."""
        return len(distinct_cells(OPERATIONS)) if self.distinct else len(OPERATIONS) ** 6

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` independent cells, uniformly from the distinct ones."""
        if not self.distinct:
            return super().sample(n, rng)
        rows = distinct_cells(OPERATIONS)
        return Population.from_decisions(self.schema, rows[rng.integers(len(rows), size=n)])

    def canonical(self, population: Population) -> Population:
        """The first cell of each one's structure, where cells of one structure are one architecture."""
        if not self.distinct:
            return population
        places = population.decisions @ (len(OPERATIONS) ** np.arange(5, -1, -1))
        return Population.from_decisions(self.schema, representatives(OPERATIONS)[places])

    def equivalents(self, arch: Architecture) -> Population:
        """The other cells that compute the same; with ``distinct`` the other structures that do."""
        found = Population.from_decisions(self.schema, same_function(OPERATIONS, arch.decisions))
        found = self.canonical(found).unique()
        others: Population = found[np.array(found.keys) != arch.key] if len(found) else found
        return others

    def to_text(self, arch: Architecture) -> str:
        """The official string: per node, the operation and source of each incoming edge."""
        nodes = ["".join(f"|{OPERATIONS[arch.edges[u, v]]}~{u}" for u in range(v)) + "|" for v in (1, 2, 3)]
        return "+".join(nodes)

    def from_text(self, text: str) -> Architecture:
        """Read an official string.

        Raises:
            InvalidArchitectureError: not three nodes of 1, 2 and 3 incoming operations, or an unknown operation.
        """
        return self.architecture(self._decisions_of(text))

    def from_texts(self, texts: Sequence[str]) -> Population:
        """Read many official strings at once."""
        D = np.array([self._decisions_of(text) for text in texts], dtype=np.int16)
        return self.canonical(Population.from_decisions(self.schema, D.reshape(-1, self.schema.num_decisions)))

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> NASBench201:
        """The same space with ``width`` times the channels and ``depth`` times the cells per stage."""
        channels = max(1, round(self.width * width))
        return NASBench201(scaled_count(self.num_cells, depth), channels, self.distinct)

    def _decisions_of(self, text: str) -> list[int]:
        match = _FORM.fullmatch(_SKIPPED.sub("", text))
        if match is None:
            raise InvalidArchitectureError(
                f"{self.name}: expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', got {shown(text)}."
            )
        labels = match.groups()
        unknown = [label for label in labels if label not in _SYMBOLS]
        if unknown:
            raise InvalidArchitectureError(
                f"{self.name}: expected operations among {', '.join(OPERATIONS)}, "
                f"got {shown(unknown[0])} in {shown(text)}."
            )
        return [_SYMBOLS[label] for label in labels]

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The published skeleton: stem, three stages of cells, two residual reductions, head."""
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The published skeleton, of parts."""
        from gennas.spaces.nasbench201.networks import NASBench201Network

        return NASBench201Network(parts, spec, self.num_cells, self.width)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of the skeleton and of all edges that are not ``none``, ``(b,)``."""
        area = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}
        areas = np.array([area.get(label, 0) for label in self.schema.edge_labels], dtype=np.int64)[
            population.decisions
        ]
        total = np.zeros(len(population), dtype=np.int64)
        for c in (self.width, 2 * self.width, 4 * self.width):
            total += self.num_cells * np.where(areas > 0, areas * c * c + 2 * c, 0).sum(1)
        c = self.width
        stem = 9 * spec.image_channels(self.name) * c + 2 * c
        reductions = sum(9 * (2 * a * a + 4 * a * a) + 8 * a + 2 * a * a for a in (c, 2 * c))
        return total + stem + reductions + 8 * c + (4 * c + 1) * spec.num_outputs
