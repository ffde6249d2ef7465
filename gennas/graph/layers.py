"""Architectures of many layers as a table: one row per layer, one column per decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gennas.graph.architecture import Architecture

__all__ = ["Cell", "LayerTable", "Row", "layer_table"]

_OFF = "off"


@dataclass(frozen=True)
class Cell:
    """What one layer has for one decision.

    Args:
        text: a number without its name, or a word.
        label: the label of the schema.
        level: place of a number among those that the decision may have, from 0 to 1; None for a word.
    """

    text: str
    label: str
    level: float | None = None


@dataclass(frozen=True)
class Row:
    """A layer, or the choices of a group of layers, which stand before its layers.

    Args:
        name: such as ``layer3`` or ``stage2.layer3``.
        cells: one for each column of the table; None where the layer does not have the decision.
        group: what a group of layers as a whole has, such as ``(("depth", Cell), )``; empty for a layer.
    """

    name: str
    cells: tuple[Cell | None, ...] = ()
    group: tuple[tuple[str, Cell], ...] = ()


@dataclass(frozen=True)
class LayerTable:
    """All decisions of an architecture.

    Args:
        whole: decisions of the whole network, by name.
        columns: names of the decisions of layers.
        rows: groups and layers, from input to output.
    """

    whole: tuple[tuple[str, Cell], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def num_layers(self) -> int:
        """Rows that are layers."""
        return sum(not row.group for row in self.rows)


def layer_table(arch: Architecture) -> LayerTable | None:
    """The table of an architecture whose nodes are named ``prefix.decision`` and whose edges are all fixed.

    A prefix that others begin with is a group of layers; all other prefixes are layers. Layers whose decisions are all
    ``off`` are left out. None where edges are chosen, or no node has such a name.

    Example:
        >>> from gennas.spaces import MacroChain
        >>> table = layer_table(MacroChain().from_text("conv3x3-w16-s1/inverted5x5-w32-s2"))
        >>> table.columns, [cell.text for cell in table.rows[1].cells]
        (('op', 'kernel', 'width', 'stride'), ['inverted', '5', '32', '2'])
    """
    schema = arch.schema
    if not all(slot.is_node for slot in schema.slots):
        return None
    whole: list[tuple[str, Cell]] = []
    found: dict[str, dict[str, Cell]] = {}
    for v, name in enumerate(schema.node_names):
        prefix, _, part = name.rpartition(".")
        cell = _cell(arch, v, part)
        if prefix:
            found.setdefault(prefix, {})[part] = cell
        else:
            whole.append((part, cell))
    groups = {p for p in found if any(other.startswith(f"{p}.") for other in found)}
    layers = {p: cells for p, cells in found.items() if p not in groups}
    there = [p for p in found if any(cell.label != _OFF for cell in found[p].values())]
    if not layers:
        return None
    columns = tuple(dict.fromkeys(part for cells in layers.values() for part in cells))
    rows = [
        Row(p, group=tuple(found[p].items())) if p in groups else Row(p, tuple(layers[p].get(c) for c in columns))
        for p in there
    ]
    return LayerTable(tuple(whole), columns, tuple(rows))


def _cell(arch: Architecture, v: int, part: str) -> Cell:
    schema = arch.schema
    label = schema.node_labels[arch.nodes[v]]
    if label == _OFF:
        return Cell("–", label)
    if label not in schema.ordinals:
        return Cell(label, label)
    peers = [u for u, name in enumerate(schema.node_names) if name.rpartition(".")[2] == part]
    allowed = [schema.node_labels[i] for i in np.flatnonzero(schema.node_mask[peers].any(axis=0))]
    numbers = sorted({schema.ordinals[x] for x in allowed if x in schema.ordinals})
    level = numbers.index(schema.ordinals[label]) / max(1, len(numbers) - 1)
    return Cell(f"{schema.ordinals[label]:.6g}", label, level)
