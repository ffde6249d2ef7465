"""What a layered space is made of: decisions, and groups of layers that repeat them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gennas.errors import ConfigError, shown

__all__ = ["OFF", "Decision", "Group", "Value", "value_text"]

Value = float | str
"""A number or a word."""

OFF = "off"
"""The label of what a network does not have: layers beyond the depth, and decisions whose condition does not hold."""


def value_text(value: Value) -> str:
    """How a value is written: words as they are, whole numbers without a point.

    Example:
        >>> value_text(4.0), value_text(3.5), value_text(1234567), value_text("conv")
        ('4', '3.5', '1234567', 'conv')
    """
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))


@dataclass(frozen=True)
class Decision:
    """One choice, of the whole network or of every layer of a group.

    Args:
        name: what is chosen, such as ``heads``.
        values: different numbers or words; one value means that nothing is chosen.
        when: values of decisions that stand before it in the same list, for which it is made; else it is ``off``.
        first: the values in the first layer of a group, where they are others.
        prefix: what a label has before its value; by default the name for numbers and nothing for words.
            Labels of different decisions must differ where they mean different things.

    Raises:
        ConfigError: there are no values, or one occurs twice.

    Example:
        >>> Decision("heads", (3, 4)).labels, Decision("op", ("conv", "pool")).labels
        (('heads3', 'heads4'), ('conv', 'pool'))
    """

    name: str
    values: tuple[Value, ...]
    when: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    first: tuple[Value, ...] | None = None
    prefix: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        for values in (self.values, self.first):
            if values is not None and (not values or len(set(map(str, values))) < len(values) or OFF in values):
                raise ConfigError(
                    f"Decision {self.name!r}: expected different values other than 'off', got {shown(values)}."
                )

    def at(self, layer: int) -> tuple[Value, ...]:
        """The values in a layer, from 0."""
        return self.first if layer == 0 and self.first is not None else self.values

    def label(self, value: Value) -> str:
        """The label of a value."""
        prefix = self.prefix if self.prefix is not None else "" if isinstance(value, str) else self.name
        return prefix + value_text(value)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all values."""
        return tuple(map(self.label, self.values))


@dataclass(frozen=True)
class Group:
    """Layers that follow each other and choose from the same decisions.

    Args:
        name: prefix of the names of its layers where a space has several groups, such as ``stage2``.
        depths: how many layers there may be.
        layer: the decisions of every layer.
        whole: decisions of the group as a whole; they stand before the depth.

    Raises:
        ConfigError: a depth is not a positive integer, or occurs twice.
    """

    name: str
    depths: tuple[int, ...]
    layer: tuple[Decision, ...] = ()
    whole: tuple[Decision, ...] = ()

    def __post_init__(self) -> None:
        depths = tuple(sorted(set(self.depths)))
        if not depths or len(depths) < len(self.depths) or any(not isinstance(d, int) or d < 1 for d in depths):
            raise ConfigError(
                f"Group {self.name!r}: expected different positive depths, got {shown(tuple(self.depths))}."
            )
        object.__setattr__(self, "depths", depths)
        object.__setattr__(self, "layer", tuple(self.layer))
        object.__setattr__(self, "whole", tuple(self.whole))
