"""The layers of an architecture: what compression asks of a space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gennas.graph import Architecture
from gennas.spaces.layered.decision import Value, value_text

if TYPE_CHECKING:
    from gennas.spaces.base import Space

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


class Stack(ABC):
    """The layers of an architecture, what each could be instead, and the architectures that come of it.

    A space whose layers can be replaced answers :meth:`gennas.spaces.Space.stack` with one; layered spaces do. A
    subclass gives :meth:`depths`, :meth:`options` and :meth:`architecture`, and :meth:`only_last` where a layer in the
    middle of a group cannot be left out.

    Args:
        space: of the architecture.
        arch: the parent's.
        places: the parent's layers, from first to last; groups are numbered from 0 and none is empty.
    """

    def __init__(self, space: Space, arch: Architecture, places: Sequence[Place]) -> None:
        self.space, self.arch, self.places = space, arch, list(places)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def num_groups(self) -> int:
        """How many groups of layers there are."""
        return 1 + max(place.group for place in self.places)

    def own(self) -> list[Values | None]:
        """The parent's layers."""
        return [place.values for place in self.places]

    def members(self, group: int) -> list[int]:
        """Numbers of the layers of a group."""
        return [i for i, place in enumerate(self.places) if place.group == group]

    @abstractmethod
    def depths(self, group: int) -> tuple[int, ...]:
        """How many layers of a group may be left, at most the parent's, in ascending order."""

    def only_last(self, group: int) -> bool:
        """Whether only the last layers of a group can be left out."""
        return False

    @abstractmethod
    def options(self, layer: int) -> list[Values | None]:
        """What a layer can be: the parent's first, others of no larger numbers, and None where it can be left out."""

    @abstractmethod
    def architecture(self, layers: Sequence[Values | None]) -> Architecture:
        """The architecture with these layers, and all else as the parent has it.

        Raises:
            InvalidArchitectureError: it is not in the space.
        """

    def with_layer(self, layer: int, values: Values) -> Architecture:
        """The parent's architecture with one other layer.

        Raises:
            InvalidArchitectureError: it is not in the space.
        """
        return self.architecture([values if i == layer else own for i, own in enumerate(self.own())])
