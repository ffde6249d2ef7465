"""The layers of an architecture of a layered space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture
from gennas.spaces.layered.decision import Decision, Value
from gennas.spaces.stack import Place, Stack, Values

if TYPE_CHECKING:
    from gennas.spaces.layered.space import LayeredSpace

__all__ = ["LayeredStack"]


class LayeredStack(Stack):
    """The layers of an architecture of a layered space.

    Layers of a group that choose from the same values can be left out wherever they stand: those that follow move up.
    Where the first layer of a group has values of its own, only the last ones can be left out.

    Args:
        space: of the architecture.
        arch: the parent's.
    """

    def __init__(self, space: LayeredSpace, arch: Architecture) -> None:
        self._layers, self._config = space, space.config(arch)
        places = [
            Place(g, i, {d.name: self._config[space.prefix(g) + d.name][i] for d in group.layer})
            for g, group in enumerate(space.groups)
            for i in range(self._config[f"{space.prefix(g)}depth"])
        ]
        super().__init__(space, arch, places)

    def depths(self, group: int) -> tuple[int, ...]:
        """How many layers of a group may be left, at most the parent's."""
        return tuple(d for d in self._layers.groups[group].depths if d <= len(self.members(group)))

    def only_last(self, group: int) -> bool:
        """Whether only the last layers of a group can be left out."""
        return any(decision.first is not None for decision in self._layers.groups[group].layer)

    def options(self, layer: int) -> list[Values | None]:
        """What a layer can be: the parent's first, others of no larger numbers, and None where it can be left out."""
        place = self.places[layer]
        group = self._layers.groups[place.group]
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
        for g, group in enumerate(self._layers.groups):
            kept = [values for i in self.members(g) if (values := layers[i]) is not None]
            config[f"{self._layers.prefix(g)}depth"] = len(kept)
            for decision in group.layer:
                config[self._layers.prefix(g) + decision.name] = [values[decision.name] for values in kept]
        return self._layers.from_config(config)

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
