"""The schema of a search space: which labels each node and edge slot of its graphs may take."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError, shown

__all__ = ["GraphSchema", "IntArray", "Slot"]

IntArray = NDArray[np.int16]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Slot:
    """One free slot (a *decision*): node ``target`` if ``source`` is None, else edge source → target."""

    source: int | None
    target: int

    @property
    def is_node(self) -> bool:
        """Whether the decision is a node's label."""
        return self.source is None


@dataclass(frozen=True, eq=False)
class GraphSchema:
    """Labels and masks of directed acyclic graphs with ``n`` ordered node slots.

    Edges point from lower to higher index, so that every graph is a DAG by construction. A slot
    with one allowed label is fixed; the other slots, in topological order (node ``v``, then the
    edges into ``v`` by source), are the ``d`` *decisions* of an architecture.

    Shapes: ``node_mask`` ``(n, k)``, ``edge_mask`` ``(n, n, l)``, both boolean. Edge label 0 means
    "no edge"; the diagonal and the lower triangle admit nothing else.

    Args:
        name: name of the space, for messages.
        node_labels: the ``k`` node labels.
        edge_labels: the ``l`` edge labels; the first stands for "no edge".
        node_mask: which labels each node slot may take.
        edge_mask: which labels each edge slot may take.
        node_names: a name for every node slot, such as ``block3.kernel`` in macro spaces.
        ordinals: numeric value of those labels that have one (a width, a kernel size).

    Raises:
        InvalidArchitectureError: shapes disagree, a slot admits no label, or an edge points back.
    """

    name: str
    node_labels: tuple[str, ...]
    edge_labels: tuple[str, ...]
    node_mask: BoolArray
    edge_mask: BoolArray
    node_names: tuple[str, ...] = ()
    ordinals: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, k, m = len(self.node_mask), len(self.node_labels), len(self.edge_labels)
        node_mask = np.array(self.node_mask, dtype=bool)
        edge_mask = np.array(self.edge_mask, dtype=bool)
        if node_mask.shape != (n, k) or edge_mask.shape != (n, n, m):
            raise InvalidArchitectureError(
                f"Schema {self.name!r}: expected node_mask ({n}, {k}) and edge_mask ({n}, {n}, {m}), "
                f"got {node_mask.shape} and {edge_mask.shape}."
            )
        lower = np.tril(np.ones((n, n), dtype=bool))
        if edge_mask[lower][:, 1:].any() or not edge_mask[lower][:, 0].all():
            raise InvalidArchitectureError(
                f"Schema {self.name!r}: edges must point from lower to higher index, so the diagonal "
                "and lower triangle of edge_mask may allow label 0 only."
            )
        if not node_mask.any(-1).all() or not edge_mask.any(-1).all():
            raise InvalidArchitectureError(f"Schema {self.name!r}: some slot admits no label at all.")
        if self.node_names and len(self.node_names) != n:
            raise InvalidArchitectureError(
                f"Schema {self.name!r}: expected {n} node names, got {len(self.node_names)}."
            )
        for mask in (node_mask, edge_mask):
            mask.setflags(write=False)
        object.__setattr__(self, "node_mask", node_mask)
        object.__setattr__(self, "edge_mask", edge_mask)

    @property
    def num_nodes(self) -> int:
        """Number ``n`` of node slots."""
        return len(self.node_mask)

    @property
    def num_decisions(self) -> int:
        """Number ``d`` of free slots."""
        return len(self.slots)

    @property
    def num_symbols(self) -> int:
        """Width ``L = max(k, l)`` of a mask over the labels of one decision."""
        return max(len(self.node_labels), len(self.edge_labels))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The free slots in topological order: node ``v``, then the edges into ``v`` by source."""
        found = []
        for v in range(self.num_nodes):
            if self.node_mask[v].sum() > 1:
                found.append(Slot(None, v))
            found += [Slot(u, v) for u in range(v) if self.edge_mask[u, v].sum() > 1]
        return tuple(found)

    @cached_property
    def decision_mask(self) -> BoolArray:
        """Labels that each decision may ever take, ``(d, L)``."""
        mask = np.zeros((self.num_decisions, self.num_symbols), dtype=bool)
        for t, slot in enumerate(self.slots):
            allowed = self.node_mask[slot.target] if slot.source is None else self.edge_mask[slot.source, slot.target]
            mask[t, : len(allowed)] = allowed
        mask.setflags(write=False)
        return mask

    @cached_property
    def fingerprint(self) -> str:
        """Hash of labels, masks, node names and ordinals: equal for equal schemas, in any process.

        Without names and ordinals it is :attr:`structure`, which was the fingerprint of every schema in version 0.1.
        """
        if not self.node_names and not self.ordinals:
            return self.structure
        ordinals = sorted((str(label), float(value)) for label, value in self.ordinals.items())
        content = repr((self.structure, tuple(map(str, self.node_names)), ordinals)).encode()
        return hashlib.blake2b(content, digest_size=8).hexdigest()

    @cached_property
    def structure(self) -> str:
        """Hash of labels and masks alone, on which the keys of architectures rest."""
        content = repr((self.name, self.node_labels, self.edge_labels)).encode()
        return hashlib.blake2b(content + self.node_mask.tobytes() + self.edge_mask.tobytes(), digest_size=8).hexdigest()

    def wrote(self, fingerprint: object) -> bool:
        """Whether a record with this fingerprint is one of this schema, also if version 0.1 made it."""
        return fingerprint in (self.fingerprint, self.structure)

    def label(self, t: int, symbol: int) -> str:
        """Name of ``symbol`` at decision ``t``."""
        return (self.node_labels if self.slots[t].is_node else self.edge_labels)[symbol]

    def symbol(self, t: int, label: str) -> int:
        """Symbol of ``label`` at decision ``t``.

        Raises:
            InvalidArchitectureError: the label does not exist or the slot does not admit it.
        """
        labels = self.node_labels if self.slots[t].is_node else self.edge_labels
        allowed = [labels[s] for s in np.flatnonzero(self.decision_mask[t])]
        if label not in allowed:
            raise InvalidArchitectureError(
                f"{self.name}: decision {t} takes one of {', '.join(allowed)}; got {shown(label)}."
            )
        return labels.index(label)

    def require_plain_labels(self) -> None:
        """Refuse labels from which the text ``label/label/…`` of an architecture could not be read back.

        Raises:
            InvalidArchitectureError: labels of free slots are equal, empty, no strings, hold a ``/``, or
                begin or end with a blank.
        """
        for kind, labels, mask in self._free_labels():
            free = [label for label, is_free in zip(labels, mask, strict=True) if is_free]
            odd = [x for x in free if not isinstance(x, str) or not x or "/" in x or x != x.strip()]
            if odd:
                raise InvalidArchitectureError(
                    f"Schema {self.name!r}: expected {kind} labels that are text without '/' and without blanks at "
                    f"their ends, got {shown(odd[0])}: architectures are written label/label/…. Rename it, or give the "
                    "space its own to_text and from_text."
                )
            twice = [x for x in free if labels.count(x) > 1]
            if twice:
                raise InvalidArchitectureError(
                    f"Schema {self.name!r}: expected different {kind} labels, got {twice[0]!r} more than once. Rename "
                    "one, or give the space its own to_text and from_text."
                )

    def _free_labels(self) -> list[tuple[str, tuple[str, ...], BoolArray]]:
        """Kind, labels and which of them some free slot takes, for nodes and for edges."""
        nodes = self.node_mask[self.node_mask.sum(-1) > 1].any(0)
        edges = self.edge_mask[self.edge_mask.sum(-1) > 1].any(0)
        return [("node", self.node_labels, nodes), ("edge", self.edge_labels, edges)]

    @cached_property
    def _decision_index(
        self,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Columns of D that are nodes / edges, and the flat places they fill in X / E."""
        n = self.num_nodes
        node_columns = [t for t, s in enumerate(self.slots) if s.is_node]
        edge_columns = [t for t, s in enumerate(self.slots) if not s.is_node]
        node_places = [self.slots[t].target for t in node_columns]
        edge_places = [(self.slots[t].source or 0) * n + self.slots[t].target for t in edge_columns]
        a, b, c, d = (np.array(x, dtype=np.intp) for x in (node_columns, node_places, edge_columns, edge_places))
        return a, b, c, d

    @cached_property
    def _template(self) -> tuple[IntArray, IntArray]:
        """A graph with every fixed slot filled (free slots hold their first label)."""
        nodes, edges = self.node_mask.argmax(-1).astype(np.int16), self.edge_mask.argmax(-1).astype(np.int16)
        edges.setflags(write=False)  # populations without free edges share it
        return nodes, edges

    def to_decisions(self, X: NDArray[np.integer], E: NDArray[np.integer]) -> IntArray:
        """Gather the decisions ``(b, d)`` of a batch ``X (b, n)``, ``E (b, n, n)``."""
        node_columns, node_places, edge_columns, edge_places = self._decision_index
        D = np.empty((len(X), self.num_decisions), dtype=np.int16)
        D[:, node_columns] = X[:, node_places]
        if self.has_free_edges:
            D[:, edge_columns] = E.reshape(len(E), self.num_nodes**2)[:, edge_places]
        return D

    def from_decisions(self, D: NDArray[np.integer]) -> tuple[IntArray, IntArray]:
        """Scatter decisions ``(b, d)`` into ``X (b, n)``, ``E (b, n, n)``; fixed slots are filled in.

        Without free edges ``E`` is one matrix seen ``b`` times (:meth:`same_edges`), which cannot be written to.
        """
        node_columns, node_places, edge_columns, edge_places = self._decision_index
        nodes, edges = self._template
        X = np.repeat(nodes[None], len(D), axis=0)
        X[:, node_places] = D[:, node_columns]
        if not self.has_free_edges:
            return X, self.same_edges(len(D))
        E = np.repeat(edges[None], len(D), axis=0)
        E.reshape(len(D), self.num_nodes**2)[:, edge_places] = D[:, edge_columns]
        return X, E

    @cached_property
    def has_free_edges(self) -> bool:
        """Whether some decision is an edge's label; else all graphs of the schema have the same edges."""
        return any(not slot.is_node for slot in self.slots)

    def same_edges(self, b: int) -> IntArray:
        """Edges ``(b, n, n)`` of ``b`` graphs without free edges: a read-only view of one matrix."""
        n = self.num_nodes
        return np.broadcast_to(self._template[1], (b, n, n))

    def allows(self, X: NDArray[np.integer], E: NDArray[np.integer]) -> BoolArray:
        """Whether each graph of a batch respects the masks, ``(b,)``."""
        rows = np.arange(self.num_nodes)
        X_ok = np.logical_and(X >= 0, X < len(self.node_labels)).all(axis=1)
        in_mask = self.node_mask[rows, np.where(np.asarray(X_ok)[:, None], X, 0)].all(1)
        ok: BoolArray = np.logical_and(X_ok, in_mask)
        if not self.has_free_edges:  # a matrix that is seen b times is compared once
            same = np.asarray((E[:1] if _is_repeated(E) else E) == self._template[1], dtype=bool)
            return np.logical_and(ok, same.all((1, 2)))
        ok = np.logical_and(ok, np.logical_and(E >= 0, E < len(self.edge_labels)).all(axis=(1, 2)))
        E = np.where(ok[:, None, None], E, 0)
        ok &= self.edge_mask[rows[:, None], rows, E].all((1, 2))
        return ok


def _is_repeated(E: NDArray[np.integer]) -> bool:
    """Whether the first axis repeats one matrix."""
    return len(E) > 0 and E.strides[0] == 0


def one_label(num_nodes: int, labels: Sequence[int], k: int) -> BoolArray:
    """Node mask ``(n, k)`` in which slot ``i`` is fixed to ``labels[i]`` (-1: everything allowed)."""
    mask = np.zeros((num_nodes, k), dtype=bool)
    for i, label in enumerate(labels):
        mask[i, label if label >= 0 else slice(None)] = True
    return mask
