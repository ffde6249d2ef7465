"""Architectures as labelled DAGs, one at a time and as dense populations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError, shown
from gennas.graph.schema import GraphSchema, IntArray

__all__ = ["Architecture", "Population"]

_MANY = 16


@dataclass(frozen=True, eq=False)
class Architecture:
    """One architecture: labels of the nodes ``(n,)`` and edges ``(n, n)`` under a schema.

    Spaces hand out canonical architectures only, so that equal ``key`` means equal function as
    far as the space can tell (node order and dead parts removed). Immutable and hashable.

    Raises:
        InvalidArchitectureError: shapes or labels do not fit the schema.
    """

    schema: GraphSchema
    nodes: IntArray
    edges: IntArray

    def __post_init__(self) -> None:
        n = self.schema.num_nodes
        nodes, edges = np.array(self.nodes, dtype=np.int16), np.asarray(self.edges, dtype=np.int16)
        if nodes.shape != (n,) or edges.shape != (n, n):
            raise InvalidArchitectureError(
                f"{self.schema.name}: expected nodes ({n},) and edges ({n}, {n}), got {nodes.shape} and {edges.shape}."
            )
        if not self.schema.allows(nodes[None], edges[None])[0]:
            raise InvalidArchitectureError(
                f"{self.schema.name}: nodes {nodes.tolist()} and edges {edges.tolist()} hold a label "
                "that the schema's masks do not allow."
            )
        edges = np.array(edges) if self.schema.has_free_edges else self.schema.same_edges(1)[0]
        nodes.setflags(write=False)
        edges.setflags(write=False)
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "edges", edges)

    @cached_property
    def decisions(self) -> IntArray:
        """Labels of the free slots in topological order, ``(d,)``."""
        decisions: IntArray = self.schema.to_decisions(self.nodes[None], self.edges[None])[0]
        return decisions

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits that identify the architecture within its schema."""
        return _keys(self.schema, self.decisions[None])[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def labels(self) -> str:
        """Names of the decisions' labels in their order; the middle is left out where there are many."""
        names = [self.schema.label(t, int(s)) for t, s in enumerate(self.decisions)]
        if len(names) > _MANY:
            names = [*names[: _MANY - 3], f"… {len(names) - _MANY + 1} more …", *names[-2:]]
        return " ".join(names)

    def __repr__(self) -> str:
        key = f" {self.key}" if len(self.decisions) > _MANY else ""  # what is left out may be what differs
        return f"Architecture({self.schema.name}{key}: {self.labels})"

    def _repr_svg_(self) -> str:
        """The drawing, for notebooks."""
        from gennas.graph.draw import draw_svg

        return draw_svg(self, f"{self.schema.name} · {self.key}")

    def to_json(self) -> str:
        """JSON text with the schema's fingerprint and the decisions."""
        record = {
            "space": self.schema.name,
            "schema": self.schema.fingerprint,
            "decisions": self.decisions.tolist(),
        }
        return json.dumps(record)

    @classmethod
    def from_json(cls, text: str, schema: GraphSchema) -> Architecture:
        """Read what :meth:`to_json` wrote.

        Raises:
            InvalidArchitectureError: not such a record, another schema, or labels out of range.
        """
        try:
            record: Any = json.loads(text)
            fingerprint, decisions = record["schema"], np.array(record["decisions"], dtype=np.int16)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise InvalidArchitectureError(f"Not an architecture record: {shown(text[:80])} ({error}).") from error
        if not schema.wrote(fingerprint):
            raise InvalidArchitectureError(
                f"Expected an architecture of {schema.name!r} (schema {schema.fingerprint}), got one of "
                f"{shown(record.get('space'))} (schema {shown(fingerprint)}); load it with its own space."
            )
        if decisions.shape != (schema.num_decisions,):
            raise InvalidArchitectureError(
                f"{schema.name}: expected {schema.num_decisions} decisions, got shape {decisions.shape}."
            )
        X, E = schema.from_decisions(decisions[None])
        return cls(schema, X[0], E[0])


@dataclass(frozen=True, eq=False)
class Population(Sequence[Architecture]):
    """A batch of architectures as dense arrays: ``X (b, n)`` node and ``E (b, n, n)`` edge labels.

    It is a sequence of :class:`Architecture`, made when one is asked for; arithmetic on whole
    populations uses the arrays. Where no edge is free, ``E`` is one matrix seen ``b`` times
    (:meth:`GraphSchema.same_edges`), so that a population takes memory for its nodes only.
    """

    schema: GraphSchema
    X: IntArray
    E: IntArray

    @classmethod
    def from_decisions(cls, schema: GraphSchema, D: NDArray[np.integer]) -> Population:
        """Build a population from decisions ``(b, d)``."""
        return cls(schema, *schema.from_decisions(D))

    @classmethod
    def of(cls, schema: GraphSchema, archs: Iterable[Architecture]) -> Population:
        """Stack architectures of one schema (possibly none)."""
        items = list(archs)
        for arch in items:
            if arch.schema.fingerprint != schema.fingerprint:
                raise InvalidArchitectureError(
                    f"Expected architectures of {schema.name!r}, got one of {arch.schema.name!r}."
                )
        n = schema.num_nodes
        X = np.array([a.nodes for a in items], dtype=np.int16).reshape(-1, n)
        if not schema.has_free_edges:
            return cls(schema, X, schema.same_edges(len(X)))
        E = np.array([a.edges for a in items], dtype=np.int16).reshape(-1, n, n)
        return cls(schema, X, E)

    @classmethod
    def concat(cls, parts: Sequence[Population]) -> Population:
        """Join populations of one schema."""
        schema, X = parts[0].schema, np.concatenate([p.X for p in parts])
        if all(p._shares_edges for p in parts):
            return cls(schema, X, schema.same_edges(len(X)))
        return cls(schema, X, np.concatenate([p.E for p in parts]))

    @property
    def _shares_edges(self) -> bool:
        """Whether ``E`` is :meth:`GraphSchema.same_edges`."""
        if self.schema.has_free_edges:
            return False
        return not len(self.E) or np.may_share_memory(self.E, self.schema.same_edges(1))

    def replaced(self, index: NDArray[np.integer], new: Population) -> Population:
        """The same population with the architectures ``new`` at ``index``."""
        X = self.X.copy()
        X[index] = new.X
        if self._shares_edges and new._shares_edges:
            return Population(self.schema, X, self.E)
        E = self.E.copy()
        E[index] = new.E
        return Population(self.schema, X, E)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle shared edges once."""
        if self._shares_edges:
            return _with_same_edges, (self.schema, self.X)
        return Population, (self.schema, self.X, self.E)

    def __len__(self) -> int:
        return len(self.X)

    @overload
    def __getitem__(self, index: int) -> Architecture: ...

    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> Population: ...

    def __getitem__(self, index: int | slice | NDArray[Any]) -> Architecture | Population:
        if isinstance(index, (int, np.integer)):
            return Architecture(self.schema, self.X[index], self.E[index])
        X = self.X[index]
        return Population(self.schema, X, self.schema.same_edges(len(X)) if self._shares_edges else self.E[index])

    def __iter__(self) -> Iterator[Architecture]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def decisions(self) -> IntArray:
        """Labels of the free slots, ``(b, d)``."""
        return self.schema.to_decisions(self.X, self.E)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which edges are there, ``(b, n, n)``; one matrix seen ``b`` times where no edge is free."""
        if self._shares_edges and len(self):
            return np.broadcast_to(self.E[0] > 0, self.E.shape)
        return self.E > 0

    @cached_property
    def keys(self) -> list[str]:
        """The key of every architecture."""
        return _keys(self.schema, self.decisions)

    @property
    def summary(self) -> str:
        """How many architectures of which space, with how many decisions."""
        plural = "" if len(self) == 1 else "s"
        return f"{len(self):,} architecture{plural} of {self.schema.name}, {self.schema.num_decisions} decisions each"

    def __repr__(self) -> str:
        return f"Population({self.summary})"

    def _repr_html_(self) -> str:
        """The first few as a table, and drawings, for notebooks."""
        from gennas.graph.notebook import population_html

        return population_html(self)

    def unique(self) -> Population:
        """The population without repetitions, first occurrences in order."""
        _, first = np.unique(np.array(self.keys), return_index=True)
        return self[np.sort(first)]


def _with_same_edges(schema: GraphSchema, X: IntArray) -> Population:
    return Population(schema, X, schema.same_edges(len(X)))


def _keys(schema: GraphSchema, D: IntArray) -> list[str]:
    salt = schema.structure.encode()
    rows = np.ascontiguousarray(D).astype("<i2", copy=False)
    return [hashlib.blake2b(row.tobytes(), digest_size=8, key=salt).hexdigest() for row in rows]
