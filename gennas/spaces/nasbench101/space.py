"""NAS-Bench-101: 423,624 cells of at most seven vertices and nine edges.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
arXiv 1902.09635.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, IntArray, Population
from gennas.spaces.base import SPACES, Space
from gennas.spaces.nasbench101 import cells
from gennas.spaces.nasbench101.cells import EDGES, MAX_EDGES, NONE, OPERATIONS, OUTPUT
from gennas.spaces.prefixes import node_and_edge_columns
from gennas.spaces.scaling import scaled_count
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NASBench101"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

_TOKEN = re.compile(r"([^~|]+)~([0-9](?:,[0-9])*)")
# How often each kind of edit (relabel, toggle, insert, bypass) is tried, by number of interior vertices.
_EDIT_WEIGHTS = np.array([[0, 0, 1, 0], *[[0.3, 0.5, 0.1, 0.1]] * 4, [0.35, 0.55, 0, 0.1]])
_ALL_EDITS = np.array(  # kind, u, v, op, cut
    [(0, 0, v, op, 0) for v in range(1, 6) for op in (1, 2, 3)]
    + [(1, u, v, 0, 0) for u, v in EDGES]
    + [(2, u, v, op, cut) for u, v in EDGES for op in (1, 2, 3) for cut in (0, 1)]
    + [(3, 0, v, 0, 0) for v in range(1, 6)]
)


@SPACES.register("nasbench101")
class NASBench101(Space):
    """Cells whose vertices carry operations; the official isomorphism rule decides what is distinct.

    Slot 0 is the input, slot 6 the output; the ``m <= 5`` interior vertices fill slots 1 to ``m``,
    the rest are ``none`` without edges. Valid cells are pruned (every vertex lies on a path from
    input to output) and have at most nine edges. The canonical cell is the isomorphic one with the
    least adjacency, then operations: the very one that the published table lists.

    :meth:`legal` and :meth:`completions` speak of labelled cells (isomorphic ones count apart);
    :attr:`size` and :meth:`sample` of distinct ones.

    Args:
        width: channels of the stem and the first stack, doubled at each further stack.
        num_stacks: stacks of cells, with a 2x2 maximum pooling between them.
        num_cells: cells per stack.

    Raises:
        ConfigError: ``width`` is below five: channels are split among up to five vertices.

    Example:
        >>> space = NASBench101()
        >>> space.size
        423624
        >>> arch = space.from_text("maxpool3x3~0|conv1x1-bn-relu~0|output~1,2")
        >>> space.to_text(arch)
        'conv1x1-bn-relu~0|maxpool3x3~0|output~1,2'
        >>> adjacency, operations = space.to_matrix(arch)
        >>> space.from_matrix(adjacency, operations) == arch
        True
    """

    unshared: ClassVar[str] = "channels of a cell's nodes depend on its whole graph"

    name = "nasbench101"

    def __init__(self, width: int = 128, num_stacks: int = 3, num_cells: int = 3) -> None:
        if width < 5:
            raise ConfigError(f"Expected a width of at least 5 channels, got {width}.")
        if num_stacks < 1 or num_cells < 1:
            raise ConfigError(f"Expected at least one stack and one cell, got {num_stacks} and {num_cells}.")
        self.width, self.num_stacks, self.num_cells = width, num_stacks, num_cells
        self.schema = cells.cell_schema()

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> NASBench101:
        """The same space with ``width`` times the channels and ``depth`` times the cells per stack."""
        return NASBench101(max(5, round(self.width * width)), self.num_stacks, scaled_count(self.num_cells, depth))

    @property
    def size(self) -> int:
        """Number of distinct cells."""
        return len(cells.canonical_codes())

    @property
    def samples_uniformly(self) -> bool:
        """Always: rows of the enumerated canonical cells are drawn."""
        return True

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` independent cells, uniformly from the 423,624 distinct ones."""
        codes = cells.canonical_codes()
        return Population.from_decisions(self.schema, cells.decode(codes[rng.integers(len(codes), size=n)]))

    def is_valid(self, population: Population) -> BoolArray:
        """Whether each graph is pruned, packed, connected and within nine edges, ``(b,)``."""
        ok = self.schema.allows(population.X, population.E)
        D = np.where(ok[:, None], population.decisions, 0)
        nodes, _ = node_and_edge_columns(self.schema)
        used = D[:, nodes] != NONE
        packed = (used[:, 1:] <= used[:, :-1]).all(1)
        expected = cells.valid_adjacencies()[cells.encode(D) >> 10]
        valid: BoolArray = ok & packed & (expected == used.sum(1))
        return valid

    def canonical(self, population: Population) -> Population:
        """The isomorphic cell with the least code, for each valid cell."""
        codes = cells.encode(population.decisions)
        return Population.from_decisions(self.schema, cells.decode(cells.least(codes)))

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Labels of decision ``t`` that some valid labelled cell goes on with, ``(b, L)``."""
        return self.completions(D, t) > 0

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Number of valid labelled cells that start with ``D[:, :t]`` and each label, ``(b, L)``."""
        nodes, _ = node_and_edge_columns(self.schema)
        prefix = np.array(D[:, :t])
        decided = nodes[nodes < t]
        prefix[:, decided] = D[:, decided] != NONE
        counts = cells.skeletons().counts(prefix, t) / 3.0 ** prefix[:, decided].sum(1, keepdims=True)
        out = np.zeros((len(D), self.schema.num_symbols))
        if self.schema.slots[t].is_node:
            out[:, 1:NONE], out[:, NONE] = counts[:, 1:] / 3, counts[:, 0]
        else:
            out[:, :2] = counts
        return out

    def to_matrix(self, arch: Architecture) -> tuple[NDArray[np.int8], list[str]]:
        """Upper-triangular adjacency and operation names of the used vertices, in the official format."""
        used = np.flatnonzero(arch.nodes != NONE)
        labels = [self.schema.node_labels[label] for label in arch.nodes[used]]
        return arch.edges[np.ix_(used, used)].astype(np.int8), labels

    def from_matrix(self, adjacency: ArrayLike, operations: Sequence[str]) -> Architecture:
        """The cell of an official specification; as there, it is pruned first and then checked.

        Args:
            adjacency: 0/1 matrix ``(v, v)``, upper-triangular, of any ``v >= 2``.
            operations: ``v`` names, ``input`` first and ``output`` last.

        Raises:
            InvalidArchitectureError: not such a matrix, an unknown operation that pruning leaves, no path from input to
                output, or more than seven vertices or nine edges after pruning.

        Example:
            >>> space = NASBench101()
            >>> space.to_text(space.from_matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"]))
            'maxpool3x3~0|output~1'
        """
        try:
            matrix, names = np.asarray(adjacency), [str(name) for name in operations]
        except ValueError as error:
            raise InvalidArchitectureError(
                f"{self.name}: expected a square matrix, got rows of different lengths."
            ) from error
        if matrix.dtype.kind not in "biuf":
            raise InvalidArchitectureError(f"{self.name}: expected a matrix of 0 and 1, got {matrix.dtype} values.")
        if matrix.shape != (len(names), len(names)):
            raise InvalidArchitectureError(
                f"{self.name}: expected a square matrix with one row per operation, got shape {matrix.shape} "
                f"and {len(names)} operations."
            )
        if names[:1] != ["input"] or names[-1:] != ["output"]:
            raise InvalidArchitectureError(
                f"{self.name}: expected 'input' first and 'output' last, got {shown(names)}."
            )
        indices = [OPERATIONS.index(name) if name in OPERATIONS else -1 for name in names[1:-1]]
        self._check_matrices(matrix[None])
        left = cells.on_path(matrix[None].astype(bool))[0, 1:-1]
        unknown = sorted(
            {name for name, index, used in zip(names[1:-1], indices, left, strict=True) if used and index < 0}
        )
        if unknown:
            raise InvalidArchitectureError(
                f"{self.name}: unknown operations {', '.join(map(shown, unknown[:5]))}; known: {', '.join(OPERATIONS)}."
            )
        return self.from_matrices(matrix[None], np.array([indices], dtype=np.intp))[0]

    def from_matrices(self, adjacency: NDArray[np.generic], operations: NDArray[np.integer]) -> Population:
        """The cells of a batch of official specifications, pruned, checked and made canonical.

        Args:
            adjacency: 0/1 matrices ``(b, v, v)``, upper-triangular.
            operations: interior operations ``(b, v - 2)`` as indices 0 conv3x3, 1 conv1x1, 2 maxpool3x3;
                those of vertices that pruning removes may hold anything.

        Raises:
            InvalidArchitectureError: as :meth:`from_matrix`, with the first offending row.
        """
        b, v = len(adjacency), adjacency.shape[-1]
        if adjacency.shape != (b, v, v) or v < 2 or operations.shape != (b, v - 2):
            raise InvalidArchitectureError(
                f"{self.name}: expected square matrices (b, v, v) and interior operations (b, v - 2), got "
                f"{adjacency.shape} and {operations.shape}."
            )
        self._check_matrices(adjacency)
        on_path = cells.on_path(adjacency.astype(bool))
        self._require(on_path[:, 0], "no path leads from input to output")
        self._require(on_path.sum(1) <= 7, "more than 7 vertices lie on a path from input to output")
        used = (operations >= 0) & (operations < len(OPERATIONS)) | ~on_path[:, 1:-1]
        self._require(used.all(1), "operations must be 0, 1 or 2")
        X, E = cells.pack(np.where(on_path[:, 1:-1], operations, 0) + 1, adjacency.astype(np.int16), on_path)
        self._require(E.sum((1, 2)) <= MAX_EDGES, f"more than {MAX_EDGES} edges remain after pruning")
        return self.canonical(Population(self.schema, X, E))

    def _check_matrices(self, adjacency: NDArray[np.generic]) -> None:
        """Refuse what holds other numbers than 0 and 1, or an edge that points back."""
        self._require(((adjacency == 0) | (adjacency == 1)).all((1, 2)), "expected only 0 and 1 in the matrix")
        self._require((np.tril(adjacency) == 0).all((1, 2)), "the matrix must be strictly upper triangular")

    def to_text(self, arch: Architecture) -> str:
        """Every used vertex but the input as ``operation~sources``, for example ``maxpool3x3~0|output~0,1``."""
        matrix, operations = self.to_matrix(arch)
        sources = [",".join(map(str, np.flatnonzero(column))) for column in matrix.T]
        return "|".join(f"{o}~{s}" for o, s in zip(operations[1:], sources[1:], strict=True))

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes, vertices in any topological order.

        Raises:
            InvalidArchitectureError: malformed, or a vertex lies on no path from input to output.
        """
        tokens = [_TOKEN.fullmatch(part.strip()) for part in text.split("|", 10)]
        parsed = [(t[1], [int(s) for s in t[2].split(",")]) for t in tokens if t]
        if len(parsed) < len(tokens) or any(max(s) > i or len({*s}) < len(s) for i, (_, s) in enumerate(parsed)):
            raise InvalidArchitectureError(
                f"{self.name}: expected vertices 'operation~sources' joined by '|', each source an earlier vertex "
                f"(0 is the input), as in 'conv3x3-bn-relu~0|output~0,1'; got {shown(text)}."
            )
        matrix = np.zeros((len(parsed) + 1, len(parsed) + 1), dtype=np.int8)
        for vertex, (_, sources) in enumerate(parsed, start=1):
            matrix[sources, vertex] = 1
        arch = self.from_matrix(matrix, ["input", *(operation for operation, _ in parsed)])
        if (arch.nodes != NONE).sum() < len(matrix):
            raise InvalidArchitectureError(
                f"{self.name}: every vertex must lie on a path from input to output; remove the others "
                f"from {shown(text)}."
            )
        return arch

    def neighbours(self, arch: Architecture) -> Population:
        """All distinct cells one edit away, ordered by canonical code.

        The edits: change an operation; add or remove an edge (what is left is pruned); insert a vertex
        between two others, with or without cutting their edge; take out a vertex of one input and one
        output and join its ends.
        """
        X, E = (np.repeat(a[None], len(_ALL_EDITS), axis=0) for a in (arch.nodes, arch.edges))
        codes = np.unique(cells.least(cells.encode(self._edited(X, E, *_ALL_EDITS.T).decisions)))
        return Population.from_decisions(
            self.schema, cells.decode(codes[codes != cells.least(cells.encode(arch.decisions[None]))])
        )

    def _edit(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """One random edit of each row (see :meth:`neighbours`); what it makes invalid stays as it was."""
        X, E = self.schema.from_decisions(D)
        m = (X[:, 1:OUTPUT] != NONE).sum(1)
        kind = (np.cumsum(_EDIT_WEIGHTS, axis=1)[m] <= rng.random((len(D), 1))).sum(1)
        first = rng.integers(m + 2)
        second = (first + 1 + rng.integers(m + 1)) % (m + 2)
        u, v = np.minimum(first, second), np.maximum(first, second)
        about_vertex = (kind % 3 == 0) & (m > 0)  # relabel, bypass
        v = np.where(about_vertex, 1 + rng.integers(np.maximum(m, 1)), np.where(v > m, OUTPUT, v))
        op, cut = rng.integers(1, 4, size=len(D)), rng.integers(2, size=len(D))
        return self._edited(X, E, kind, u, v, op, cut).decisions

    def _edited(self, X: IntArray, E: IntArray, kind: NDArray[np.integer], *where: NDArray[np.integer]) -> Population:
        """Apply edit ``kind`` at ``where = (u, v, op, cut)`` to each graph; those it would make invalid are kept."""
        new_X, new_E = X.copy(), E.copy()
        for index, edit in enumerate(cells.EDITS):
            rows = np.flatnonzero(kind == index)
            some_X, some_E = new_X[rows], new_E[rows]
            edit(some_X, some_E, *(argument[rows] for argument in where))
            new_X[rows], new_E[rows] = some_X, some_E
        new_X, new_E = cells.pack(new_X[:, 1:-1], new_E, cells.on_path(new_E > 0))
        ok = self.is_valid(Population(self.schema, new_X, new_E))
        return Population(self.schema, np.where(ok[:, None], new_X, X), np.where(ok[:, None, None], new_E, E))

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The published skeleton: stem, stacks of cells with pooling and doubled channels between, head.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.nasbench101.networks import NASBench101Network

        adjacency, operations = self.to_matrix(arch)
        return NASBench101Network(adjacency, operations, spec, self.width, self.num_stacks, self.num_cells)

    def _require(self, ok: BoolArray | np.bool_, message: str) -> None:
        if not ok.all():
            raise InvalidArchitectureError(f"{self.name}: row {int(np.argmin(ok))}: {message}.")
