"""Architectures of layered spaces as values by name, and as text ``embed=192;depth=2;heads=3,3``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import InvalidArchitectureError, shown
from gennas.graph import GraphSchema
from gennas.spaces.layered.decision import OFF, Value, value_text
from gennas.spaces.layered.layout import Layout, Place

if TYPE_CHECKING:
    from gennas.spaces.parts import Parts

__all__ = ["config_of", "config_text", "field_names", "parse_config", "symbols_of", "values_of"]

_OFF_TEXT = "-"


def field_names(layout: Layout) -> dict[str, list[Place]]:
    """The fields of a space in their order, and the nodes that each describes: one, or one per layer."""
    fields: dict[str, list[Place]] = {}
    for place in layout.places:
        field = place.name
        if place.layer >= 0:
            field = layout.prefix(place.group) + place.name.rpartition(".")[2]
        fields.setdefault(field, []).append(place)
    return fields


def config_of(layout: Layout, labels: Sequence[str]) -> dict[str, Any]:
    """Values by name, of the labels of all nodes."""
    config: dict[str, Any] = {}
    for field, places in field_names(layout).items():
        values = [_value(layout, labels[layout.node[place.name]]) for place in places]
        if places[0].layer < 0:
            config[field] = values[0]
        else:
            config[field] = values[: config[f"{layout.prefix(places[0].group)}depth"]]
    return config


def values_of(layout: Layout, schema: GraphSchema, parts: Parts) -> dict[str, Any]:
    """As :func:`config_of`, of what ``parts`` make of each decision; lists are of all layers that there may be."""
    from gennas.spaces.parts import largest

    decisions = {slot.target: t for t, slot in enumerate(schema.slots)}
    config: dict[str, Any] = {}
    for field, places in field_names(layout).items():
        nodes = [layout.node[place.name] for place in places]
        if places[0].layer >= 0:
            nodes = nodes[: largest(config[f"{layout.prefix(places[0].group)}depth"])]
        values = []
        for node in nodes:
            allowed = [int(s) for s in np.flatnonzero(schema.node_mask[node])]
            by_symbol = {s: _value(layout, schema.node_labels[s]) for s in allowed if schema.node_labels[s] != OFF}
            t = decisions.get(node)
            values.append(next(iter(by_symbol.values()), None) if t is None else parts.pick(t, by_symbol))
        config[field] = values[0] if places[0].layer < 0 else values
    return config


def _value(layout: Layout, label: str) -> Value | None:
    if label == OFF:
        return None
    return layout.values[label] if label in layout.values else int(label.removeprefix("depth"))


def config_text(config: Mapping[str, Any]) -> str:
    """Values by name as text."""
    return ";".join(
        f"{name}={','.join(map(_text, value)) if isinstance(value, list) else _text(value)}"
        for name, value in config.items()
    )


def _text(value: Value | None) -> str:
    return _OFF_TEXT if value is None else value_text(value)


def parse_config(layout: Layout, space: str, text: str) -> dict[str, Any]:
    """Values by name, still as text, in the fields that a text gives.

    Raises:
        InvalidArchitectureError: a part is no ``name=value``, or a name comes twice.
    """
    fields = field_names(layout)
    config: dict[str, Any] = {}
    for part in text.strip().split(";"):
        name, equals, value = (x.strip() for x in part.partition("="))
        if not equals:
            raise InvalidArchitectureError(
                f"{space}: expected fields like {next(iter(fields))}=… separated by ';', got {shown(part)}."
            )
        if name in config:
            raise InvalidArchitectureError(f"{space}: the field {shown(name)} is given twice.")
        is_list = name in fields and fields[name][0].layer >= 0
        config[name] = [x.strip() for x in value.split(",")] if is_list and value else [] if is_list else value
    return config


def symbols_of(layout: Layout, space: str, config: Mapping[str, Any]) -> list[str]:
    """Labels of all nodes for values by name.

    Raises:
        InvalidArchitectureError: a name is missing or unknown, a value is not among those of its decision, or a
            list has not as many entries as its group has layers.
    """
    fields = field_names(layout)
    _require_names(space, fields, config)
    labels = [OFF] * len(layout.places)
    for field, places in fields.items():
        if places[0].layer < 0:
            labels[layout.node[places[0].name]] = _label(layout, space, field, places[0], config[field])
            continue
        depth = int(labels[layout.node[f"{layout.prefix(places[0].group)}depth"]].removeprefix("depth"))
        values = config[field]
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != depth:
            got = len(values) if isinstance(values, Sequence) and not isinstance(values, str) else shown(values)
            raise InvalidArchitectureError(
                f"{space}: expected {depth} entries of {field}, one for each layer, got {got}."
            )
        for i, (place, value) in enumerate(zip(places, values, strict=False), start=1):
            labels[layout.node[place.name]] = _label(layout, space, f"{field} of layer {i}", place, value)
    return labels


def _require_names(space: str, fields: Mapping[str, list[Place]], config: Mapping[str, Any]) -> None:
    unknown = [name for name in config if name not in fields]
    if unknown:
        raise InvalidArchitectureError(
            f"{space}: unknown field {shown(str(unknown[0]))}; expected {', '.join(fields)}."
        )
    missing = [name for name, places in fields.items() if name not in config]
    if missing:
        raise InvalidArchitectureError(
            f"{space}: the field {shown(missing[0])} is missing; expected {', '.join(fields)}."
        )


def _label(layout: Layout, space: str, field: str, place: Place, value: object) -> str:
    """The label of a value, a number or its text."""
    if place.decision is None:
        known: dict[str, str] = {str(d): f"depth{d}" for d in layout.groups[place.group].depths}
    else:
        labels = layout.scope(place).labels[place.place]
        known = {_text(layout.values[label]) if label != OFF else _OFF_TEXT: label for label in labels}
    written = _as_text(value)
    if written not in known:
        choices = ", ".join(known)
        raise InvalidArchitectureError(f"{space}: expected {field} out of {choices}, got {shown(written)}.")
    return known[written]


def _as_text(value: object) -> str:
    """How a value is written in the text form: ``4.0`` and ``"4.0"`` as ``4``."""
    if value is None:
        return _OFF_TEXT
    if isinstance(value, str):
        try:
            return value_text(float(value))
        except ValueError:
            return value
    return value_text(value) if isinstance(value, (int, float)) else str(value)
