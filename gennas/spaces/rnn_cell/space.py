"""Recurrent cells: a tree of nodes, each with an activation and one predecessor."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, IntArray, Population
from gennas.spaces.base import SPACES, BoolArray, FloatArray, Space
from gennas.spaces.scaling import rounded_to
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["RNNCell"]

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
_LARGEST_EXACT = 2**45  # counts up to here are given as they are, larger ones up to a factor
_NODE = re.compile(r"([a-z]+)~([0-9]{1,9})")
_GENOTYPE = re.compile(r"Genotype\(recurrent=(\[.*\]), concat=(range\(\d+, \d+\)|\[.*\])\)", re.DOTALL)


@SPACES.register("rnn-cell")
class RNNCell(Space):
    r"""Recurrent cells of ENAS (Pham et al. 2018, arXiv 1802.03268) and of DARTS (Liu et al. 2019, arXiv 1806.09055).

    Node 1 reads the token and the state; every other node reads exactly one earlier node; each has one of four
    activations and is a highway layer. The next state is the mean of the leaves (``enas``), or of all nodes but the
    first, whose activation is then always ``tanh`` (``darts``). With ``n`` nodes there are

    .. math:: 4^n (n - 1)! \text{ (enas)}, \qquad 4^n n! \text{ (darts, n nodes after the first)}

    cells: 330,301,440 by default, 669,692,775,628,800 with ENAS's 12 nodes, 2,642,411,520 with DARTS's 8. (The ENAS
    paper counts :math:`4^n n!`; but a node has one candidate fewer than its number.) Cells that differ in the order of
    nodes only compute the same and are not identified with each other.

    The text form is ``tanh|relu~1|tanh~1``: activations, and after ``~`` the node that is read, from 1. Genotypes of
    the DARTS repository, ``Genotype(recurrent=[('relu', 0), …], concat=range(1, 9))``, are read, too.

    Args:
        nodes: nodes with a choice of activation.
        style: ``enas`` or ``darts``.
        hidden: channels of embedding and state.
        tied: whether a language model's head is the embedding's matrix.

    Raises:
        ConfigError: a setting is out of range.

    Example:
        >>> space = RNNCell(8, "darts")
        >>> space.to_text(space.from_text(space.published["DARTS_V2"]))
        'tanh|sigmoid~1|relu~2|relu~2|identity~2|tanh~3|sigmoid~6|tanh~4|relu~6'
    """

    name = "rnn-cell"
    published: ClassVar[Mapping[str, str]] = {
        "ENAS": "Genotype(recurrent=[('tanh', 0), ('tanh', 1), ('relu', 1), ('tanh', 3), ('tanh', 3), ('relu', 3), "
        "('relu', 4), ('relu', 7), ('relu', 8), ('relu', 8), ('relu', 8)], concat=[2, 5, 6, 9, 10, 11])",
        "DARTS_V1": "Genotype(recurrent=[('relu', 0), ('relu', 1), ('tanh', 2), ('relu', 3), ('relu', 4), "
        "('identity', 1), ('relu', 5), ('relu', 1)], concat=range(1, 9))",
        "DARTS_V2": "Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2), "
        "('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))",
    }
    """Published cells: ENAS's is of ``RNNCell(12)``, DARTS's are of ``RNNCell(8, "darts")``."""

    def __init__(
        self, nodes: int = 8, style: Literal["enas", "darts"] = "enas", hidden: int = 64, tied: bool = False
    ) -> None:
        rules = (
            (2 <= nodes <= 24, f"2 to 24 nodes, got {nodes}"),
            (style in ("enas", "darts"), f"style 'enas' or 'darts', got {shown(style)}"),
            (hidden > 0, f"a positive hidden width, got {hidden}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{self.name}: expected {rule}.")
        self.nodes, self.style, self.hidden, self.tied = nodes, style, hidden, tied
        self._all = nodes + (style == "darts")  # nodes of the graph
        node_mask = np.ones((self._all, len(ACTIVATIONS)), dtype=bool)
        if style == "darts":
            node_mask[0, 1:] = False
        edge_mask = np.zeros((self._all, self._all, 2), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[np.triu_indices(self._all, 1)] = True
        edge_mask[0, 1, 0] = False
        names = tuple(f"node{k + 1}" for k in range(self._all))
        self.schema = GraphSchema(self.name, ACTIVATIONS, ("none", "reads"), node_mask, edge_mask, names)
        self._columns = {(slot.source, slot.target): t for t, slot in enumerate(self.schema.slots)}

    # ------------------------------------------------------------------ what is legal

    @property
    def size(self) -> int:
        """Exact number of cells."""
        return int(len(ACTIVATIONS) ** self.nodes * math.factorial(self._all - 1))

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Exactly one predecessor: none after the first that is read, the last one where no other was."""
        return self.completions(D, t) > 0

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Ways to go on after each label, ``(b, L)``; in proportion where the space passes 2^45."""
        slot = self.schema.slots[t]
        v = slot.target
        later = len(ACTIVATIONS) ** (self._all - 1 - v) * math.prod(range(v + 1, self._all))
        rest = float(later if self.size <= _LARGEST_EXACT else 1)
        counts = np.zeros((len(D), self.schema.num_symbols))
        if slot.source is None:
            counts[:, : len(ACTIVATIONS)] = rest * (max(v, 1) if self.size <= _LARGEST_EXACT else 1)
            return counts
        before = [self._columns[u, v] for u in range(slot.source)]
        is_open = (D[:, before] == 0).all(1)
        counts[:, 0] = np.where(is_open, v - 1 - slot.source, 1) * rest
        counts[:, 1] = is_open * rest
        return counts

    # ------------------------------------------------------------------ moves

    def neighbours(self, arch: Architecture) -> Population:
        """All cells with another activation or another predecessor of one node."""
        moves = np.arange(self._moves[-1])
        return self._distinct_from(arch, self._moved(np.repeat(arch.decisions[None], len(moves), axis=0), moves))

    def _edit(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """One of these moves, drawn uniformly."""
        return self._moved(D, rng.integers(self._moves[-1], size=len(D)))

    @cached_property
    def _moves(self) -> NDArray[np.int_]:
        """How many moves there are up to each node's activation, then up to each node's predecessor."""
        activations = np.where(self.schema.node_mask.sum(1) > 1, len(ACTIVATIONS) - 1, 0)
        return np.cumsum(np.concatenate([activations, np.maximum(np.arange(self._all) - 1, 0)]))

    def _moved(self, D: IntArray, moves: NDArray[np.int_]) -> IntArray:
        """Each row after a move, given by its number."""
        X, E = self.schema.from_decisions(D)
        which = np.searchsorted(self._moves, moves, side="right")
        steps = 1 + moves - np.concatenate([[0], self._moves])[which]
        for row, (place, step) in enumerate(zip(which.tolist(), steps.tolist(), strict=True)):
            if place < self._all:
                X[row, place] = (X[row, place] + step) % len(ACTIVATIONS)
                continue
            v = place - self._all
            reads = (int(E[row, :v, v].argmax()) + step) % v
            E[row, :, v] = np.arange(self._all) == reads
        return self.schema.to_decisions(X, E)

    # ------------------------------------------------------------------ text

    def to_text(self, arch: Architecture) -> str:
        """Activations and, after ``~``, the node that each reads: ``tanh|relu~1|tanh~1``."""
        parts = [ACTIVATIONS[arch.nodes[0]]]
        parts += [f"{ACTIVATIONS[arch.nodes[v]]}~{arch.edges[:v, v].argmax() + 1}" for v in range(1, self._all)]
        return "|".join(parts)

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes, or a genotype of the DARTS repository.

        Raises:
            InvalidArchitectureError: the text is malformed or names a cell outside the space.
        """
        text = text.strip()
        if text.startswith("Genotype("):
            return self._from_genotype(text)
        first, *others = text.split("|")
        pairs = []
        for k, part in enumerate(others, 2):
            match = _NODE.fullmatch(part)
            if match is None:
                raise InvalidArchitectureError(f"{self.name}: expected node {k} like 'relu~1', got {part!r:.40}.")
            pairs.append((match[1], int(match[2]) - 1))
        return self._cell([first, *(a for a, _ in pairs)], [p for _, p in pairs])

    def _from_genotype(self, text: str) -> Architecture:
        match = _GENOTYPE.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            pairs = [(str(activation), int(predecessor)) for activation, predecessor in ast.literal_eval(match[1])]
            numbers = [int(x) for x in re.findall(r"[0-9]{1,9}", match[2])]
        except (ValueError, SyntaxError, TypeError) as error:
            raise InvalidArchitectureError(
                f"{self.name}: expected Genotype(recurrent=[('relu', 0), …], concat=range(1, 9)), got {text!r:.60}."
            ) from error
        averaged = range(*numbers) if match[2].startswith("range") else numbers
        arch = self._cell(["tanh", *(a for a, _ in pairs)], [p for _, p in pairs])
        if list(averaged) != self._averaged(arch):
            raise InvalidArchitectureError(
                f"{self.name}: expected a mean over nodes {self._averaged(arch)} (style {shown(self.style)}), got "
                f"{list(averaged)}; choose the other style."
            )
        return arch

    def _cell(self, activations: Sequence[str], predecessors: Sequence[int]) -> Architecture:
        """The architecture with these activations and predecessors (from 0) of all nodes but the first."""
        if len(activations) != self._all:
            raise InvalidArchitectureError(f"{self.name}: expected {self._all} nodes, got {len(activations)}.")
        wrong = [a for a in activations if a not in ACTIVATIONS]
        if wrong:
            raise InvalidArchitectureError(
                f"{self.name}: expected activations out of {', '.join(ACTIVATIONS)}, got {wrong[0]!r:.40}."
            )
        if self.style == "darts" and activations[0] != "tanh":
            raise InvalidArchitectureError(f"{self.name}: expected 'tanh' in node 1, got {shown(activations[0])}.")
        for v, u in enumerate(predecessors, 1):
            if not 0 <= u < v:
                raise InvalidArchitectureError(
                    f"{self.name}: expected node {v + 1} to read one of 1 to {v}, got {u + 1}."
                )
        X = np.array([[ACTIVATIONS.index(a) for a in activations]])
        E = np.zeros((1, self._all, self._all), dtype=np.int16)
        E[0, list(predecessors), np.arange(1, self._all)] = 1
        return self.architecture(self.schema.to_decisions(X, E)[0])

    def _averaged(self, arch: Architecture) -> list[int]:
        """Nodes whose mean is the next state, from 0."""
        if self.style == "darts":
            return list(range(1, self._all))
        return np.flatnonzero(~arch.edges.any(1)).tolist()

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Embedding, the cell on every token in turn, and a linear head; for ``text`` on the mean of the states.

        Raises:
            ConfigError: another kind of task.
        """
        from gennas.spaces.rnn_cell.networks import Cell, RecurrentNetwork

        spec.require(self.name, "language", "tagging", "text")
        activations = [ACTIVATIONS[x] for x in arch.nodes]
        predecessors = [int(arch.edges[:v, v].argmax()) for v in range(1, self._all)]
        return RecurrentNetwork(Cell(activations, predecessors, self._averaged(arch), self.hidden), spec, self.tied)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; in a shared one a node has one matrix, whatever it reads and whatever its activation.

        Raises:
            ConfigError: another kind of task.
        """
        from gennas.spaces.rnn_cell.networks import Cell, RecurrentNetwork, activation

        spec.require(self.name, "language", "tagging", "text")
        slots = {(slot.source, slot.target): t for t, slot in enumerate(self.schema.slots)}
        activations = [
            parts.choice(slots[None, v], lambda symbol: activation(ACTIVATIONS[symbol]))
            if (None, v) in slots
            else activation(ACTIVATIONS[0])
            for v in range(self._all)
        ]
        edges = [{u: slots.get((u, v)) for u in range(v)} for v in range(1, self._all)]
        sources = [parts.sources(of_node, 1) for of_node in edges]
        averaged = list(range(1, self._all)) if self.style == "darts" else None
        predecessors = [s[0] if isinstance(s, list) else s for s in sources]
        cell = Cell([a for a in activations if a is not None], predecessors, averaged, self.hidden)
        return RecurrentNetwork(cell, spec, self.tied)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        r"""The same for all cells, ``(b,)``: :math:`V h + 4 h^2 + 2 h^2 (nodes - 1)` and the head with its bias."""
        h = self.hidden
        is_tied = self.tied and spec.kind == "language" and spec.num_outputs == spec.vocabulary
        head = spec.num_outputs * (1 if is_tied else h + 1)
        return np.full(len(population), spec.vocabulary * h + 4 * h**2 + 2 * h**2 * (self._all - 1) + head)

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> RNNCell:
        """The same space with ``width`` times the channels.

        Raises:
            ConfigError: a depth is asked for; a recurrent network here has one layer.
        """
        if depth != 1:
            raise ConfigError(f"{self.name}: expected depth 1, got {depth}: its networks have one layer.")
        space = copy(self)
        space.hidden = rounded_to(self.hidden * width, 1)
        return space
