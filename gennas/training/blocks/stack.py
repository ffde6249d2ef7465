"""The layers of an architecture, what each could be instead, and the architectures that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture
from gennas.spaces.base import Space
from gennas.spaces.layered import Decision, LayeredSpace
from gennas.spaces.layered.decision import Value, value_text

__all__ = ["Place", "Stack", "Values", "values_text"]

Values = Mapping[str, Value | None]
"""Values of a layer's decisions by name; None is off."""


def values_text(values: Values | None) -> str:
    """What a layer is, for a person; ``out`` where it is left out.

    Example:
        >>> values_text({"mixer": "conv", "heads": None, "mlp": 2.0}), values_text(None)
        ('mixer=conv mlp=2', 'out')
    """
    if values is None:
        return "out"
    return " ".join(f"{name}={value_text(value)}" for name, value in values.items() if value is not None)


@dataclass(frozen=True)
class Place:
    """One layer of the parent.

    Args:
        group: number of its group.
        index: its number in the group, from 0.
        values: of its decisions.
    """

    group: int
    index: int
    values: Values


class Stack:
    """The layers of an architecture of a layered space.

    Layers of a group that choose from the same values can be left out wherever they stand: those that follow move up.
    Where the first layer of a group has values of its own, only the last ones can be left out.

    Args:
        space: of the architecture.
        arch: the parent's.

    Raises:
        ConfigError: the space is not one of layers with decisions of their own.
    """

    def __init__(self, space: Space, arch: Architecture) -> None:
        if not isinstance(space, LayeredSpace) or not any(group.layer for group in space.groups):
            raise ConfigError(
                f"Expected a space whose layers have choices of their own, such as gpt or autoformer-tiny, got "
                f"{space.name}: it has no layers to replace."
            )
        self.space, self.arch = space, arch
        self._config = space.config(arch)
        self.places = [
            Place(g, i, {d.name: self._config[space.prefix(g) + d.name][i] for d in group.layer})
            for g, group in enumerate(space.groups)
            for i in range(self._config[f"{space.prefix(g)}depth"])
        ]

    def __len__(self) -> int:
        return len(self.places)

    def own(self) -> list[Values | None]:
        """The parent's layers."""
        return [place.values for place in self.places]

    def members(self, group: int) -> list[int]:
        """Numbers of the layers of a group."""
        return [i for i, place in enumerate(self.places) if place.group == group]

    def depths(self, group: int) -> tuple[int, ...]:
        """How many layers of a group may be left, at most the parent's."""
        return tuple(d for d in self.space.groups[group].depths if d <= len(self.members(group)))

    def only_last(self, group: int) -> bool:
        """Whether only the last layers of a group can be left out."""
        return any(decision.first is not None for decision in self.space.groups[group].layer)

    def options(self, layer: int) -> list[Values | None]:
        """What a layer can be: the parent's first, others of no larger numbers, and None where it can be left out."""
        place = self.places[layer]
        group = self.space.groups[place.group]
        names = [decision.name for decision in group.layer]
        ways = product(*(_smaller(decision, place) for decision in group.layer))
        found: list[Values | None] = [place.values]
        for way in ways:
            values = dict(zip(names, way, strict=True))
            if values != dict(place.values) and self._is_legal(layer, values):
                found.append(values)
        least = min(self.depths(place.group))
        can_go = place.index >= least if self.only_last(place.group) else least < len(self.members(place.group))
        return [*found, None] if can_go else found

    def architecture(self, layers: Sequence[Values | None]) -> Architecture:
        """The architecture with these layers, and all else as the parent has it.

        Raises:
            InvalidArchitectureError: it is not in the space.
        """
        config = dict(self._config)
        for g, group in enumerate(self.space.groups):
            kept = [values for i in self.members(g) if (values := layers[i]) is not None]
            config[f"{self.space.prefix(g)}depth"] = len(kept)
            for decision in group.layer:
                config[self.space.prefix(g) + decision.name] = [values[decision.name] for values in kept]
        return self.space.from_config(config)

    def with_layer(self, layer: int, values: Values) -> Architecture:
        """The parent's architecture with one other layer.

        Raises:
            InvalidArchitectureError: it is not in the space.
        """
        return self.architecture([values if i == layer else own for i, own in enumerate(self.own())])

    def _is_legal(self, layer: int, values: Values) -> bool:
        try:
            self.with_layer(layer, values)
        except InvalidArchitectureError:
            return False
        return True


def _smaller(decision: Decision, place: Place) -> list[Value | None]:
    """Values that a decision may take there: words, numbers up to the parent's, off where it has a condition."""
    own = place.values[decision.name]
    found: list[Value | None] = [
        value
        for value in decision.at(place.index)
        if isinstance(value, str) or not isinstance(own, (int, float)) or value <= own
    ]
    return [*found, None] if decision.when else found
