"""NAS-Bench-Graph: 26,206 graph neural networks of four operations on a tree.

Source: Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022
(Datasets and Benchmarks), arXiv 2206.09166. The isomorphism rules are those of the package
``nas-bench-graph`` 1.4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, IntArray, Population
from gennas.spaces.base import SPACES, Space
from gennas.spaces.nasbench_graph import trees
from gennas.spaces.nasbench_graph.trees import OPERATIONS, SHAPES
from gennas.spaces.prefixes import PrefixIndex
from gennas.spaces.scaling import refuse_depth
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NASBenchGraph"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

VARIANTS = {"default": OPERATIONS, "proteins": ("gcn", "sage", "arma", "fc", "skip")}
_TEXT = re.compile(r"([0-9]{4}):(\w+),(\w+),(\w+),(\w+)")


@SPACES.register("nasbench-graph")
class NASBenchGraph(Space):
    """Four computing nodes, each with one operation and one parent; the leaves feed the output.

    A graph is given by the parents of the four nodes (0 is the input) and their operations, as in
    ``0012:gat,gcn,fc,skip``. Two graphs are the same if renumbering the nodes or moving redundant
    ``skip`` nodes makes them equal: a skip that has children, has no siblings or carries the raw
    input goes to the front of the network. Of all numberings the canonical one has the least parents,
    then operations, so that its parents are one of nine lists. A network of skips alone is invalid.

    :meth:`is_valid` accepts every well-formed graph; :meth:`legal` and :meth:`completions` speak of the
    canonical ones, so that what is drawn under them is uniform over the distinct architectures.

    Args:
        variant: ``proteins`` has five operations, as the table of that dataset.
        hidden: width of every layer.
        num_pre: linear layers before the computing nodes.
        num_post: linear layers between the leaves and the classifier.
        dropout: rate after every layer.

    Raises:
        ConfigError: an unknown variant, or an odd or non-positive ``hidden`` (gat has two heads).

    Example:
        >>> space = NASBenchGraph()
        >>> space.size, NASBenchGraph("proteins").size
        (26206, 2021)
        >>> arch = space.from_text("0121:gcn,gin,fc,cheb")
        >>> space.to_text(arch), int(space.official_hash(Population.of(space.schema, [arch]))[0])
        ('0112:gcn,gin,cheb,fc', 61237)
    """

    unshared: ClassVar[str] = "it is not written with parts"

    name = "nasbench-graph"

    def __init__(
        self,
        variant: Literal["default", "proteins"] = "default",
        hidden: int = 64,
        num_pre: int = 0,
        num_post: int = 1,
        dropout: float = 0.5,
    ) -> None:
        if variant not in VARIANTS:
            raise ConfigError(f"Expected variant 'default' or 'proteins', got {shown(variant)}.")
        if hidden < 2 or hidden % 2:
            raise ConfigError(f"Expected an even, positive hidden width, got {hidden}.")
        if num_pre < 0 or num_post < 0 or not 0 <= dropout < 1:
            raise ConfigError(
                f"Expected no negative number of layers and a dropout in [0, 1), got num_pre={num_pre}, "
                f"num_post={num_post}, dropout={dropout}."
            )
        self.variant, self.hidden, self.dropout = variant, hidden, dropout
        self.num_pre, self.num_post = num_pre, num_post
        self.operations = VARIANTS[variant]
        self.schema = _tree_schema(self.name if variant == "default" else f"{self.name}-{variant}", self.operations)
        self._official = np.array([OPERATIONS.index(o) for o in self.operations])
        self._codes = trees.canonical_codes(self.operations)
        self._rows = self._to_decisions(*trees.unpack(self._codes))
        widths = [(len(self.schema.node_labels) - 1).bit_length() if s.is_node else 1 for s in self.schema.slots]
        self._index = PrefixIndex(self._rows, widths)

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` independent architectures, uniformly from the distinct ones."""
        return Population.from_decisions(self.schema, self._rows[rng.integers(len(self._rows), size=n)])

    def is_valid(self, population: Population) -> BoolArray:
        """Whether each node has one parent, exactly the leaves feed the output, and some operation is no skip."""
        E = population.E
        one_parent = (E[:, :5, 1:5].sum(1) == 1).all(1)
        leaves = (E[:, 1:5, 5] == (E[:, 1:5, 1:5].sum(2) == 0)).all(1)
        all_skip = (population.X[:, 1:5] == len(self.operations)).all(1)
        valid: BoolArray = self.schema.allows(population.X, E) & one_parent & leaves & ~all_skip
        return valid

    def canonical(self, population: Population) -> Population:
        """The architecture of the published table that equals each graph."""
        return Population.from_decisions(self.schema, self._decisions_of(self._canonical_codes_of(population)))

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Labels of decision ``t`` that some canonical architecture goes on with, ``(b, L)``."""
        return self.completions(D, t) > 0

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Number of distinct architectures whose canonical form starts with ``D[:, :t]`` and each label."""
        counts = self._index.counts(D, t)[:, : self.schema.num_symbols]
        return np.pad(counts, ((0, 0), (0, self.schema.num_symbols - counts.shape[1])))

    def official_hash(self, population: Population) -> NDArray[np.int64]:
        """The integer under which the published tables file each architecture, ``(b,)``.

        Five decimal digits, the index of the shape (0 to 8) and of each operation among all nine. The
        table of ``proteins`` uses the same digits (its package could also write base 6, but does not).
        """
        shape, operations = trees.unpack(self._canonical_codes_of(population))
        digits = np.concatenate([shape[:, None], operations], axis=1)
        hashes: NDArray[np.int64] = digits @ 10 ** np.arange(4, -1, -1)
        return hashes

    def from_links(self, links: Sequence[int], operations: Sequence[str]) -> Architecture:
        """The architecture whose node ``i`` (1 to 4) has the parent ``links[i - 1]`` (0 is the input).

        The nodes may be numbered in any order, as long as the parents form a tree.

        Raises:
            InvalidArchitectureError: not four parents between 0 and 4, a cycle, not four known operations,
                or skips only.

        Example:
            >>> space = NASBenchGraph()
            >>> space.to_text(space.from_links([0, 1, 0, 2], ["gat", "gcn", "fc", "gin"]))
            '0013:gat,fc,gcn,gin'
        """
        if len(links) != 4 or len(operations) != 4 or not set(links) <= set(range(5)):
            raise InvalidArchitectureError(
                f"{self.name}: expected four parents between 0 and 4 and four operations, got {links} and {operations}."
            )
        unknown = sorted(set(operations) - set(self.operations))
        if unknown:
            raise InvalidArchitectureError(
                f"{self.schema.name}: unknown operations {', '.join(map(shown, unknown[:5]))}; "
                f"known: {', '.join(self.operations)}."
            )
        codes = trees.pack(np.array([links]), np.array([[OPERATIONS.index(o) for o in operations]]))
        if codes[0] < 0:
            raise InvalidArchitectureError(f"{self.name}: the parents {list(links)} form a cycle; expected a tree.")
        code = trees.canonical_table()[codes]
        if code[0] < 0:
            raise InvalidArchitectureError(f"{self.name}: at least one operation must not be 'skip'.")
        return Population.from_decisions(self.schema, self._decisions_of(code))[0]

    def to_text(self, arch: Architecture) -> str:
        """Parents, then operations, as in ``0012:gat,gcn,fc,skip``."""
        links = arch.edges[:5, 1:5].argmax(0)
        return f"{''.join(map(str, links))}:{','.join(self.schema.node_labels[label] for label in arch.nodes[1:5])}"

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes, nodes in any order.

        Raises:
            InvalidArchitectureError: malformed, or as in :meth:`from_links`.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitectureError(
                f"{self.name}: expected four parents and four operations as in '0012:gat,gcn,fc,skip', "
                f"got {shown(text)}."
            )
        return self.from_links([int(digit) for digit in match[1]], match.groups()[1:])

    def neighbours(self, arch: Architecture) -> Population:
        """All distinct architectures with another operation at one node or another parent of one, in table order."""
        ops, parents = len(self.operations), 5
        node = np.concatenate([np.repeat(np.arange(4), ops), np.repeat(np.arange(4), parents)])
        value = np.concatenate([np.tile(np.arange(ops), 4), np.tile(np.arange(parents), 4)])
        start = np.repeat(self._canonical_codes_of(Population.of(self.schema, [arch])), len(node))
        codes = np.unique(self._edited(start, np.arange(len(node)) < 4 * ops, node, value))
        return Population.from_decisions(self.schema, self._decisions_of(codes[codes != start[0]]))

    def _edit(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """Another operation or another parent for one node; what would be a cycle or skips only stays as it was."""
        codes = self._canonical_codes_of(Population.from_decisions(self.schema, D))
        relabel = rng.random(len(D)) < 0.5
        value = rng.integers(np.where(relabel, len(self.operations), 5))
        return self._decisions_of(self._edited(codes, relabel, rng.integers(4, size=len(D)), value))

    def _edited(
        self, codes: NDArray[np.int64], relabel: BoolArray, node: NDArray[np.integer], value: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """Set the operation (where ``relabel``) or the parent of ``node`` to ``value``; canonical codes."""
        shape, operations = trees.unpack(codes)
        links = np.array(SHAPES)[shape]
        operations[relabel, node[relabel]] = self._official[value[relabel]]
        links[~relabel, node[~relabel]] = value[~relabel]
        edited = trees.pack(links, operations)
        found = np.where(edited < 0, -1, trees.canonical_table()[edited])
        return np.where(found < 0, codes, found)

    def for_task(self, task: str) -> NASBenchGraph:
        """The variant that was measured on a dataset: ``proteins`` has its own operations."""
        if task != "proteins" or self.variant == "proteins":
            return self
        return NASBenchGraph("proteins", self.hidden, self.num_pre, self.num_post, self.dropout)

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> NASBenchGraph:
        """The same space with ``width`` times the hidden units in its networks, rounded to an even number.

        Raises:
            ConfigError: another depth: a network is one cell.
        """
        refuse_depth(self.name, depth, "a network is one cell")
        hidden = max(2, 2 * round(self.hidden * width / 2))
        return NASBenchGraph(self.variant, hidden, self.num_pre, self.num_post, self.dropout)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A torch-geometric network with ``forward(x, edge_index)``, in the shape of the published ones.

        A node applies its operation, batch norm, ReLU and dropout; ``skip`` is the identity, so a skip at
        the front passes the raw features on and no projection is needed. The leaves are concatenated and
        pass the ``num_post`` linear layers and the classifier. Parameters are those of the published
        networks, less the two ``hidden``-vectors that those keep for the norm of every skip.

        Raises:
            ConfigError: the task is not about nodes of a graph.
        """
        from gennas.spaces.nasbench_graph.networks import NASBenchGraphNetwork

        spec.require(self.name, "node")
        links = [int(parent) for parent in arch.edges[:5, 1:5].argmax(0)]
        operations = [self.schema.node_labels[label] for label in arch.nodes[1:5]]
        return NASBenchGraphNetwork(links, operations, spec, self.hidden, self.num_pre, self.num_post, self.dropout)

    def _canonical_codes_of(self, population: Population) -> NDArray[np.int64]:
        links = population.E[:, :5, 1:5].argmax(1)
        codes = trees.pack(links, self._official[population.X[:, 1:5] - 1])
        return trees.canonical_table()[codes]

    def _decisions_of(self, codes: NDArray[np.int64]) -> IntArray:
        return self._rows[np.searchsorted(self._codes, codes)]

    def _to_decisions(self, shape: NDArray[np.int64], operations: NDArray[np.int64]) -> IntArray:
        b, links = len(shape), np.array(SHAPES)[shape]
        X, E = np.zeros((b, 6), dtype=np.int16), np.zeros((b, 6, 6), dtype=np.int16)
        X[:, 1:5] = np.searchsorted(self._official, operations) + 1
        E[np.arange(b)[:, None], links, np.arange(1, 5)] = 1
        E[:, 1:5, 5] = E[:, 1:5, 1:5].sum(2) == 0
        return self.schema.to_decisions(X, E)


def _tree_schema(name: str, operations: Sequence[str]) -> GraphSchema:
    """Input, four operations, output. Node 1 always hangs on the input and node 4 is always a leaf."""
    labels = ("input", *operations, "output")
    node_mask = np.zeros((6, len(labels)), dtype=bool)
    node_mask[[0, 5], [0, -1]] = True
    node_mask[1:5, 1:-1] = True
    edge_mask = np.zeros((6, 6, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(6, 1)] = True
    edge_mask[[0, 4], [1, 5]] = (False, True)
    edge_mask[0, 5] = (True, False)
    return GraphSchema(name, labels, ("none", "edge"), node_mask, edge_mask)
