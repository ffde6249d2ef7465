"""Where the decisions of a layered space stand: nodes, labels, names, and look-up tables of what is legal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import GraphSchema
from gennas.spaces.layered.decision import OFF, Decision, Group, Value
from gennas.spaces.layered.scope import Scope

__all__ = ["Layout", "Place"]

IndexArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
LARGEST_EXACT = 2**45  # counts up to here are given as they are, larger ones up to a factor


@dataclass(frozen=True)
class Place:
    """What stands in one node: the depth of a group (``layer`` and ``place`` are -1), or one decision of one list.

    Args:
        name: name of the node, such as ``stage2.layer3.heads``.
        group: number of the group, -1 for decisions of the whole network.
        layer: number of the layer in its group, from 0; -1 for what is not in a layer.
        place: place in its list.
        decision: what is decided; None for a depth.
    """

    name: str
    group: int
    layer: int
    place: int
    decision: Decision | None


class Layout:
    """The nodes of a layered space in their order, and everything that is computed from them once.

    Args:
        whole: decisions of the whole network.
        groups: its groups of layers.

    Raises:
        ConfigError: names repeat, a condition cannot be met, or there is nothing to decide.
    """

    def __init__(self, whole: Sequence[Decision], groups: Sequence[Group]) -> None:
        self.whole, self.groups = Scope(tuple(whole)), tuple(groups)
        self.group_scopes = [Scope(group.whole) for group in self.groups]
        self.layer_scopes = [
            [Scope(group.layer, layer) for layer in range(min(2, group.depths[-1]))] for group in self.groups
        ]
        self.places = self._places()
        names = [place.name for place in self.places]
        if len(set(names)) < len(names):
            raise ConfigError(f"Expected decisions of different names, got {', '.join(names[:20])}.")
        self.node = {name: v for v, name in enumerate(names)}

    def scope(self, place: Place) -> Scope:
        """The list that a place stands in."""
        if place.layer >= 0:
            scopes = self.layer_scopes[place.group]
            return scopes[min(place.layer, len(scopes) - 1)]
        return self.whole if place.group < 0 else self.group_scopes[place.group]

    def prefix(self, group: int) -> str:
        """What the names of a group begin with: nothing where it is the only one."""
        return f"{self.groups[group].name}." if len(self.groups) > 1 else ""

    def _places(self) -> list[Place]:
        places = [Place(d.name, -1, -1, p, d) for p, d in enumerate(self.whole.decisions)]
        for g, group in enumerate(self.groups):
            start = self.prefix(g)
            places += [Place(f"{start}{d.name}", g, -1, p, d) for p, d in enumerate(group.whole)]
            places.append(Place(f"{start}depth", g, -1, -1, None))
            places += [
                Place(f"{start}layer{i + 1}.{d.name}", g, i, p, d)
                for i in range(group.depths[-1])
                for p, d in enumerate(group.layer)
            ]
        return places

    def node_labels(self, place: Place) -> tuple[str, ...]:
        """Labels that a node may take."""
        if place.decision is None:
            return tuple(f"depth{d}" for d in self.groups[place.group].depths)
        labels = self.scope(place).labels[place.place]
        can_be_off = place.layer >= self.groups[place.group].depths[0] if place.layer >= 0 else False
        return labels if OFF in labels or not can_be_off else (*labels, OFF)

    def schema(self, name: str) -> GraphSchema:
        """A fixed chain of edges ``next`` with one decision in each node; the label ``off`` comes last."""
        allowed = [self.node_labels(place) for place in self.places]
        labels = [*dict.fromkeys(label for some in allowed for label in some if label != OFF), OFF]
        n = len(allowed)
        node_mask = np.zeros((n, len(labels)), dtype=bool)
        for v, some in enumerate(allowed):
            node_mask[v, [labels.index(label) for label in some]] = True
        edge_mask = np.zeros((n, n, 2), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[np.arange(n - 1), np.arange(1, n)] = [False, True]
        names = tuple(place.name for place in self.places)
        return GraphSchema(name, tuple(labels), ("none", "next"), node_mask, edge_mask, names, self._ordinals(labels))

    def _ordinals(self, labels: Sequence[str]) -> dict[str, float]:
        """Numbers that labels stand for, in the order of the labels."""
        found = {f"depth{d}": float(d) for group in self.groups for d in group.depths}
        for place in self.places:
            if place.decision is not None:
                for value in (*place.decision.values, *(place.decision.first or ())):
                    label, number = place.decision.label(value), None if isinstance(value, str) else float(value)
                    if number is not None and found.setdefault(label, number) != number:
                        raise ConfigError(f"The label {shown(label)} stands for {found[label]:g} and for {number:g}.")
        return {label: found[label] for label in labels if label in found}

    @cached_property
    def values(self) -> dict[str, Value]:
        """Value of every label of a decision."""
        found: dict[str, Value] = {}
        for place in self.places:
            if place.decision is not None:
                for value in (*place.decision.values, *(place.decision.first or ())):
                    found[place.decision.label(value)] = value
        return found

    # ------------------------------------------------------------------ counting

    def layers_count(self, group: int, depth: int) -> int:
        """Ways to choose the layers of a group of that depth."""
        scopes = self.layer_scopes[group]
        return scopes[0].count * int(scopes[-1].count ** (depth - 1))

    @cached_property
    def size(self) -> int:
        """Number of architectures, exact."""
        return self.whole.count * math.prod(self._group_counts)

    @cached_property
    def _group_counts(self) -> list[int]:
        return [
            self.group_scopes[g].count * sum(self.layers_count(g, d) for d in group.depths)
            for g, group in enumerate(self.groups)
        ]

    @cached_property
    def _later_groups(self) -> list[int]:
        """Ways to choose the groups after each, and all of them at last (for the whole network)."""
        after = list(accumulate(reversed(self._group_counts), lambda a, b: a * b, initial=1))
        return after[:-1][::-1] + after[-1:]

    def ways_after(self, place: Place) -> list[int]:
        """Ways to choose what comes after a node and is not linked with it.

        One number; for a decision in a layer one for each depth of its group, where a layer that is off leaves
        the later groups only; for a depth the ways that follow each depth.
        """
        later = self._later_groups[place.group]
        depths = self.groups[place.group].depths if place.group >= 0 else ()
        if place.decision is None:
            return [later * self.layers_count(place.group, d) for d in depths]
        ways = self.scope(place).ways_after[place.place] * later
        if place.layer < 0:
            return [ways * sum(self.layers_count(place.group, d) for d in depths) if depths else ways]
        rest = self.layer_scopes[place.group][-1].count
        return [ways * rest ** (d - place.layer - 1) if place.layer < d else later for d in depths]
