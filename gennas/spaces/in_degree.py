"""The base class of spaces in which every node takes a fixed number of inputs from the nodes before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, GraphSchema, IntArray, Population
from gennas.spaces.base import BoolArray, FloatArray, Space

__all__ = ["InDegreeSpace"]

_EXACT = 2**45  # larger spaces give completions in proportion


class InDegreeSpace(Space):
    r"""Graphs in which node :math:`v` has exactly :math:`k_v` incoming edges out of :math:`n_v` that are free.

    With :math:`a_v` labels of the node and :math:`m_v` labels of a present edge, all legal choices are distinct:

    .. math:: \prod_v a_v \binom{n_v}{k_v} m_v^{k_v}

    A move gives a node or a present edge another label, or lets one edge of a node come from another source and
    keeps its label; so every architecture has
    :math:`\sum_v (a_v - 1) + k_v (m_v - 1) + k_v (n_v - k_v)` neighbours.

    Args:
        schema: every free edge has label 0 and the labels of present edges.
        in_degree: ``k_v`` of the nodes that have free edges.

    Raises:
        ConfigError: a node has fewer free edges than it needs, or edges of different labels.
    """

    def __init__(self, schema: GraphSchema, in_degree: Mapping[int, int]) -> None:
        self.schema = schema
        self._choices = [self._node(v, in_degree.get(v, 0)) for v in range(schema.num_nodes)]

    def _node(self, v: int, k: int) -> _Node:
        slots = self.schema.slots
        edges = [t for t, s in enumerate(slots) if s.target == v and not s.is_node]
        labels = {tuple(np.flatnonzero(self.schema.decision_mask[t])) for t in edges}
        if len(labels) > 1 or k > len(edges) or (edges and (k < 1 or 0 not in next(iter(labels)))):
            raise ConfigError(
                f"{self.schema.name}: expected node {v} to take {k} of its {len(edges)} free edges, all of the same "
                "labels and each of which may be absent."
            )
        node = next((t for t, s in enumerate(slots) if s.target == v and s.is_node), None)
        present = np.array(sorted(next(iter(labels), ())), dtype=np.int16)[1:]
        return _Node(node, int(self.schema.node_mask[v].sum()), np.array(edges, dtype=np.intp), present, k)

    @cached_property
    def _of(self) -> list[_Node]:
        """The node that each decision belongs to."""
        return [self._choices[slot.target] for slot in self.schema.slots]

    @property
    def size(self) -> int:
        """Exact number of architectures."""
        return math.prod(node.count for node in self._choices)

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Edges are there until there are enough, and from where the ones that are left are all needed."""
        node = self._of[t]
        legal = np.repeat(self.schema.decision_mask[t][None], len(D), axis=0)
        if t != node.label:
            missing, later = self._missing(D, node, t)
            legal[:, 0] &= missing <= later
            legal[:, 1:] &= (missing > 0)[:, None]
        return legal

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Number of architectures after each label, ``(b, L)``; in proportion where the space passes 2^45."""
        node = self._of[t]
        counts = self.legal(D, t).astype(np.float64)
        if t != node.label:
            missing, later = self._missing(D, node, t)
            counts[:, 0] *= node.ways(later)[missing]
            counts[:, 1:] *= node.ways(later)[np.maximum(missing - 1, 0)][:, None]
        elif len(node.edges):
            counts *= node.ways(len(node.edges))[node.k]
        v = self.schema.slots[t].target
        rest = math.prod(after.count for after in self._choices[v + 1 :])
        return counts * rest if self.size <= _EXACT else counts

    @staticmethod
    def _missing(D: NDArray[np.integer], node: _Node, t: int) -> tuple[NDArray[np.intp], int]:
        """Edges into the node that are still to be chosen, ``(b,)``, and free edges after ``t``."""
        before = node.edges[node.edges < t]
        missing = node.k - np.count_nonzero(D[:, before], axis=1)
        return np.clip(missing, 0, node.k).astype(np.intp), len(node.edges) - len(before) - 1

    # ------------------------------------------------------------------ moves

    @cached_property
    def _moves(self) -> list[_Move]:
        """All moves, the same of every architecture."""
        found = []
        for node in self._choices:
            if node.label is not None:
                found += [_Move(node, "label", 0, j) for j in range(node.labels - 1)]
            free = len(node.edges) - node.k
            found += [_Move(node, "relabel", i, j) for i in range(node.k) for j in range(len(node.present) - 1)]
            found += [_Move(node, "redirect", i, j) for i in range(node.k) for j in range(free if node.k else 0)]
        return found

    def neighbours(self, arch: Architecture) -> Population:
        """All architectures one move away."""
        D = np.repeat(arch.decisions[None], len(self._moves), axis=0)
        for row, move in enumerate(self._moves):
            self._apply(D, np.array([row]), move)
        return self._distinct_from(arch, D)

    def _edit(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """One of the moves, drawn uniformly for each row."""
        edited = D.copy()
        drawn = rng.integers(len(self._moves), size=len(D))
        for move in np.unique(drawn):
            self._apply(edited, np.flatnonzero(drawn == move), self._moves[move])
        return edited

    def _apply(self, D: IntArray, rows: NDArray[np.intp], move: _Move) -> None:
        """Make a move in some rows, in place."""
        node, i, j = move.node, move.i, move.j
        if move.kind == "label":
            assert node.label is not None
            allowed = np.flatnonzero(self.schema.decision_mask[node.label])
            D[rows, node.label] = _other(allowed, D[rows, node.label], j)
            return
        edges = D[np.ix_(rows, node.edges)]
        order = np.argsort(edges == 0, axis=1, kind="stable")  # present edges first, each part by source
        source = order[:, i]
        column, label = node.edges[source], edges[np.arange(len(rows)), source]
        if move.kind == "relabel":
            D[rows, column] = _other(node.present, label, j)
        else:
            D[rows, column] = 0
            D[rows, node.edges[order[:, node.k + j]]] = label


@dataclass(frozen=True, eq=False)
class _Node:
    """What is chosen at one node: its label (decision ``label``), and ``k`` of the decisions ``edges``."""

    label: int | None
    labels: int
    edges: NDArray[np.intp]
    present: IntArray
    k: int

    @property
    def count(self) -> int:
        return self.labels * math.comb(len(self.edges), self.k) * int(len(self.present) ** self.k)

    def ways(self, later: int) -> FloatArray:
        """Ways to choose ``0 … k`` edges among ``later`` ones."""
        return np.array([math.comb(later, c) * len(self.present) ** c for c in range(self.k + 1)], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Move:
    """``label``: the node's ``j``-th other label. ``relabel``, ``redirect``: its ``i``-th edge's label or source."""

    node: _Node
    kind: str
    i: int
    j: int


def _other(labels: IntArray | NDArray[np.intp], current: IntArray, j: int) -> NDArray[np.integer]:
    """The ``j``-th of the ascending labels without the current one."""
    other: NDArray[np.integer] = np.where(labels[j] >= current, labels[j + 1], labels[j])
    return other
