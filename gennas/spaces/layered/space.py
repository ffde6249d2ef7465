"""The base class of spaces whose networks are layers in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Architecture, IntArray, Population
from gennas.spaces.base import BoolArray, FloatArray, Space
from gennas.spaces.layered.decision import OFF, Decision, Group, Value
from gennas.spaces.layered.layout import LARGEST_EXACT, Layout, Place
from gennas.spaces.layered.stack import LayeredStack
from gennas.spaces.layered.text import config_of, config_text, parse_config, symbols_of, values_of

if TYPE_CHECKING:
    from gennas.spaces.parts import Parts
    from gennas.spaces.stack import Stack

__all__ = ["LayeredSpace"]

IndexArray = NDArray[np.intp]
_ROWS = 4096  # whose moves are looked at together


class LayeredSpace(Space):
    r"""Networks with choices of the whole, and groups of layers of variable depth with choices of their own.

    One decision stands in one node of a fixed chain: the decisions of the whole network, then for each group
    its own, its ``depth`` and ``layer1.…``, ``layer2.…``. What a network does not have (layers beyond the depth,
    decisions whose condition does not hold) is ``off``, and nothing else is: legality makes every
    representation canonical. With :math:`c` combinations of a list of decisions, the space holds

    .. math:: c_{whole} \prod_{groups} c_{group} \sum_{d \in depths} c_{layer}^{\,d}

    architectures, an exact integer of any size, and sampling is uniform over them: deep networks prevail.

    A move changes one decision of one layer that is there (what depends on it is drawn anew where it became
    illegal), or goes to the next larger or smaller depth: growing appends copies of the last layer, shrinking
    drops layers from the end, so that shrinking undoes growing.

    The text form has one field for each decision: ``embed=192;depth=2;mlp=3.5,4;heads=3,3``; a decision that
    is off is ``-``.

    A subclass calls this constructor and gives :meth:`build`, which reads :meth:`config`; where it bounds
    layers further it overrides :meth:`legal` and :meth:`completions`.

    Args:
        name: name of the space.
        whole: decisions of the whole network.
        groups: groups of layers.

    Raises:
        ConfigError: names repeat, a condition cannot be met, or there is nothing to choose.
    """

    def __init__(self, name: str, whole: Sequence[Decision] = (), groups: Sequence[Group] = ()) -> None:
        self.name = name
        try:
            self._layout = Layout(whole, groups)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error
        self.schema = self._layout.schema(name)
        if not self.schema.num_decisions:
            raise ConfigError(f"{name}: expected settings that leave a choice, got a single architecture.")
        self._columns = _Columns(self)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of layers."""
        return self._layout.groups

    def prefix(self, group: int) -> str:
        """What the names of a group's values begin with in :meth:`config`: nothing where it is the only one."""
        return self._layout.prefix(group)

    def stack(self, arch: Architecture) -> Stack:
        """Its layers, where they have decisions of their own."""
        return LayeredStack(self, arch) if any(group.layer for group in self.groups) else super().stack(arch)

    # ------------------------------------------------------------------ what is legal

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """What the decisions before ``t`` that are linked with it admit; only ``off`` where there is no layer."""
        legal: BoolArray = self._counts(D, t) > 0
        return legal

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray | None:
        """Number of architectures after each label, ``(b, L)``; in proportion where the space passes 2^45."""
        column = self._columns[t]
        in_layer = column.place.layer >= 0
        ways = column.ways[self._depth_index(D, column.place.group)] if in_layer else column.ways[:1]
        return self._counts(D, t) * ways[:, None]

    def _counts(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Combinations of linked decisions that follow each label, ``(b, L)``."""
        column = self._columns[t]
        codes = np.zeros(len(D), dtype=np.intp)
        for before, index, stride in column.before:
            codes += index[D[:, before]] * stride
        counts: FloatArray = column.counts[codes]
        if column.place.layer >= 0 and column.place.layer >= self._layout.groups[column.place.group].depths[0]:
            counts[self.depth(D, column.place.group) <= column.place.layer] = column.only_off
        return counts

    def depth(self, D: NDArray[np.integer], group: int = 0) -> IndexArray:
        """Number of layers of a group in each row of decisions ``(b, d)``."""
        depths = np.array(self._layout.groups[group].depths, dtype=np.intp)
        return depths[self._depth_index(D, group)]

    def _depth_index(self, D: NDArray[np.integer], group: int) -> IndexArray:
        """Place of each row's depth among the depths of a group."""
        column = self._columns.depth.get(group)
        if column is None:
            return np.zeros(len(D), dtype=np.intp)
        index: IndexArray = column.index[D[:, column.t]]
        return index

    @property
    def size(self) -> int:
        """Exact number of architectures."""
        return self._layout.size

    # ------------------------------------------------------------------ moves

    def neighbours(self, arch: Architecture) -> Population:
        """All architectures one move away, in the order of the decisions."""
        D = arch.decisions[None]
        t, symbol = np.nonzero(self._moves(D)[0])
        rows = self._moved(np.repeat(D, len(t), axis=0), t, symbol)
        return self._distinct_from(arch, self._completed(rows, t))

    def _edit(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """One of the moves, drawn uniformly for each row; dependent decisions are drawn where they must change."""
        parts = [self._edit_part(D[i : i + _ROWS], rng) for i in range(0, len(D), _ROWS)]
        return np.concatenate(parts) if parts else D

    def _edit_part(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """As :meth:`_edit`, for so few rows that all their moves fit into memory."""
        moves = self._moves(D).reshape(len(D), D.shape[1] * self.schema.num_symbols)
        draw = np.argmax(np.where(moves, rng.random(moves.shape), -1.0), axis=1)
        t, symbol = np.divmod(draw, self.schema.num_symbols)
        edited = self._moved(D.copy(), t, symbol)
        for later, rows in self._dependents(t):
            legal = self.legal(edited[rows], later)
            wrong = ~legal[np.arange(len(rows)), edited[rows, later]]
            drawn = np.argmax(np.where(legal, rng.random(legal.shape), -1.0), axis=1)
            edited[rows[wrong], later] = drawn[wrong]
        return edited

    def _moves(self, D: IntArray) -> BoolArray:
        """Which (decision, symbol) pairs change each row into a neighbour, ``(b, d, L)``."""
        moves = np.stack([self.legal(D, t) for t in range(D.shape[1])], axis=1)
        rows, columns = np.arange(len(D))[:, None], np.arange(D.shape[1])
        moves[rows, columns, D] = False
        for column in self._columns.depth.values():
            steps = np.abs(column.index - column.index[D[:, column.t]][:, None])
            moves[:, column.t] &= steps == 1
        return moves

    def _moved(self, D: IntArray, t: IndexArray, symbol: IndexArray) -> IntArray:
        """Set decision ``t`` of each row to ``symbol``; a new depth appends copies or drops the last layers."""
        before = {group: self.depth(D, group) for group in self._columns.depth}
        D[np.arange(len(D)), t] = symbol
        X, E = self.schema.from_decisions(D)
        for group, old in before.items():
            new = self.depth(D, group)
            nodes = self._columns.layers(group)
            for row in np.flatnonzero(new > old):
                X[row, nodes[old[row] : new[row]]] = X[row, nodes[old[row] - 1]]
            for row in np.flatnonzero(new < old):
                X[row, nodes[new[row] : old[row]]] = len(self.schema.node_labels) - 1  # off
        D = self.schema.to_decisions(X, E)
        grown = np.flatnonzero(np.isin(t, [c.t for c in self._columns.depth.values()]))
        if len(grown) and not self._columns.layers_are_alike:
            D[grown] = self._complete(D[grown], t[grown])
        return D

    def _dependents(self, t: IndexArray) -> list[tuple[int, IndexArray]]:
        """Later decisions that are linked with the changed ones, and the rows where that is so."""
        found: dict[int, list[int]] = {}
        for row, changed in enumerate(t.tolist()):
            for later in self._columns[changed].after:
                found.setdefault(later, []).append(row)
        return [(later, np.array(rows, dtype=np.intp)) for later, rows in sorted(found.items())]

    def _completed(self, D: IntArray, t: IndexArray) -> IntArray:
        """Every way to make rows legal after their changed decision ``t``, as rows."""
        found = []
        for row, changed in zip(D, t.tolist(), strict=True):
            ways = row[None]
            for later in self._columns[changed].after:
                legal = self.legal(ways, later)
                keep = legal[np.arange(len(ways)), ways[:, later]]
                options = np.where(keep[:, None], np.arange(legal.shape[1]) == ways[:, later, None], legal)
                which, symbol = np.nonzero(options)
                ways = ways[which]
                ways[:, later] = symbol
            found.append(ways)
        return np.concatenate(found) if found else D

    # ------------------------------------------------------------------ values and text

    def config(self, arch: Architecture) -> dict[str, Any]:
        """Values by name: a number or word of the whole, a list with one entry per layer; None is off.

        Names begin with their group's where there are several: ``stage2.depth``, ``stage2.heads``.
        """
        return config_of(self._layout, [self.schema.node_labels[x] for x in arch.nodes])

    def values(self, parts: Parts) -> dict[str, Any]:
        """As :meth:`config`, of what parts make of each decision: of one architecture its values, else all of them."""
        return values_of(self._layout, self.schema, parts)

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The architecture with these values by name, as :meth:`config` gives them.

        Raises:
            InvalidArchitectureError: a name is missing or unknown, a value is not in the space, or a list has not
                as many entries as there are layers.
        """
        labels = symbols_of(self._layout, self.name, config)
        slots = enumerate(self.schema.slots)
        return self.architecture(self.schema.symbol(t, labels[slot.target]) for t, slot in slots)

    def to_text(self, arch: Architecture) -> str:
        """One field for each decision: ``embed=192;depth=2;mlp=3.5,4;heads=3,3``."""
        return config_text(self.config(arch))

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes; fields may come in any order.

        Raises:
            InvalidArchitectureError: the text is malformed or names an architecture outside the space.
        """
        return self.from_config(parse_config(self._layout, self.name, text))

    def column(self, population: Population, name: str) -> FloatArray:
        """Numbers of one decision, ``(b,)`` of the whole network or of a group, or ``(b, layers)``; 0 where it is off.

        Args:
            population: the architectures.
            name: name of the decision, such as ``embed``, ``heads`` or ``stage2.heads``.
        """
        values = np.array([self.schema.ordinals.get(label, 0.0) for label in self.schema.node_labels])
        if name in self._layout.node:
            found: FloatArray = values[population.X[:, self._layout.node[name]]]
            return found
        return values[population.X[:, self._layer_nodes(name)]]

    def chosen(self, population: Population, name: str, value: Value) -> BoolArray:
        """Whether a decision has a value: shapes as of :meth:`column`.

        Raises:
            ConfigError: it can never have it.
        """
        nodes = [self._layout.node[name]] if name in self._layout.node else self._layer_nodes(name)
        decision = self._layout.places[nodes[-1]].decision
        label = f"depth{value}" if decision is None else decision.label(value)
        if label not in self.schema.node_labels:
            raise ConfigError(f"{self.name}: {name} is never {shown(value)}.")
        symbol = self.schema.node_labels.index(label)
        chosen: BoolArray = population.X[:, nodes if name not in self._layout.node else nodes[0]] == symbol
        return chosen

    def _layer_nodes(self, name: str) -> list[int]:
        """Nodes of one decision in all layers of its group."""
        group, _, part = name.rpartition(".")
        number = [g.name for g in self._layout.groups].index(group) if group else 0
        start = self._layout.prefix(number)
        depth = self._layout.groups[number].depths[-1]
        return [self._layout.node[f"{start}layer{i + 1}.{part}"] for i in range(depth)]


@dataclass(frozen=True)
class _Column:
    """One decision: where it stands, what it is linked with and what may follow it."""

    t: int
    place: Place
    before: tuple[tuple[int, IndexArray, int], ...]
    """Columns before it that are linked with it: column, place of each symbol among its labels, stride of the code."""
    after: tuple[int, ...]
    """Columns after it that are linked with it."""
    index: IndexArray
    """Place of each symbol among its labels, ``(L,)``."""
    counts: FloatArray
    """Linked combinations by code of the columns before, and by symbol, ``(codes, L)``."""
    only_off: FloatArray
    ways: FloatArray
    """Ways to choose what comes later and is not linked, by depth of its group; 1 where the space is too large."""


class _Columns:
    """The decisions of a space, in the order of its slots."""

    def __init__(self, space: LayeredSpace) -> None:
        layout, schema = space._layout, space.schema
        self._layout = layout
        self._column_of = {slot.target: t for t, slot in enumerate(schema.slots)}
        self._labels = schema.node_labels
        self._width = schema.num_symbols
        self._columns = [self._column(t, slot.target) for t, slot in enumerate(schema.slots)]
        self.depth = {c.place.group: c for c in self._columns if c.place.decision is None}
        self.layers_are_alike = all(len({s.labels for s in scopes}) == 1 for scopes in layout.layer_scopes)

    def __getitem__(self, t: int) -> _Column:
        return self._columns[t]

    def layers(self, group: int) -> IndexArray:
        """Nodes of every layer of a group, ``(layers, decisions)``."""
        nodes = [v for v, place in enumerate(self._layout.places) if place.group == group and place.layer >= 0]
        return np.array(nodes, dtype=np.intp).reshape(self._layout.groups[group].depths[-1], -1)

    def _column(self, t: int, node: int) -> _Column:
        layout = self._layout
        place = layout.places[node]
        labels = layout.node_labels(place)
        ways = layout.ways_after(place)
        exact = layout.size <= LARGEST_EXACT
        largest = max(ways)
        only_off = np.array([float(label == OFF) for label in self._padded()])
        if place.decision is None:
            counts = self._by_symbol(np.array([[w if exact else w / largest for w in ways]], dtype=float), labels)
            return _Column(t, place, (), (), self._index(labels), counts, only_off, np.ones(1))
        scope = layout.scope(place)
        table = scope.tables[place.place]
        before, stride = [], 1
        for p in reversed(table.before):
            column = self._column_of.get(node - place.place + p)
            if column is not None:
                before.append((column, self._index(scope.labels[p]), stride))
            stride *= len(scope.labels[p])
        after = tuple(c for p in table.after if (c := self._column_of.get(node - place.place + p)) is not None)
        counts = self._by_symbol(table.counts, scope.labels[place.place])
        rest = np.array(ways, dtype=float) if exact else np.ones(len(ways))
        return _Column(t, place, tuple(before), after, self._index(labels), counts, only_off, rest)

    def _padded(self) -> list[str]:
        """The labels, as many as there are symbols."""
        return [*self._labels, *[""] * (self._width - len(self._labels))]

    def _index(self, labels: Sequence[str]) -> IndexArray:
        return np.array([labels.index(x) if x in labels else 0 for x in self._padded()], dtype=np.intp)

    def _by_symbol(self, counts: FloatArray, labels: Sequence[str]) -> FloatArray:
        wide = np.zeros((len(counts), self._width))
        wide[:, [self._labels.index(label) for label in labels]] = counts
        return wide
