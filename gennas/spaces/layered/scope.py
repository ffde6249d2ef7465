"""Legal combinations of the decisions that stand in one list: of the network, of a group or of one of its layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.spaces.layered.decision import OFF, Decision, Value

__all__ = ["Scope", "Table"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """How many combinations of the linked decisions follow each prefix, for one decision.

    Args:
        before: places in the scope of the decisions that stand before this one and are linked with it.
        counts: ``(prefixes, labels)``: combinations by prefix and by this decision's label.
        after: places of the linked decisions that stand after it.
    """

    before: tuple[int, ...]
    counts: FloatArray
    after: tuple[int, ...]


@dataclass(frozen=True)
class Scope:
    """The decisions of one list; those that conditions link are counted together, the others multiply.

    Args:
        decisions: in their order.
        layer: number of the layer, from 0; ``first`` values count in layer 0.

    Raises:
        ConfigError: names repeat, or a condition names something else than an earlier decision and its values.
    """

    decisions: tuple[Decision, ...]
    layer: int = 1
    labels: tuple[tuple[str, ...], ...] = field(init=False)
    """Labels that each decision may take, ``off`` last where its condition can fail."""
    tables: tuple[Table, ...] = field(init=False)
    count: int = field(init=False)
    """Number of legal combinations, exact."""
    ways_after: tuple[int, ...] = field(init=False)
    """For every place, combinations of the decisions after it that are not linked with it."""

    def __post_init__(self) -> None:
        self._check()
        found = [_values(d, self.layer) for d in self.decisions]
        components = self._components()
        tables: list[Table] = []
        count, open_after = 1, []
        for places in components:
            rows = [row for row in product(*(found[p] for p in places)) if self._is_legal(places, row)]
            count *= len(rows)
            index = np.array([[found[p].index(v) for p, v in zip(places, row, strict=True)] for row in rows])
            for k in range(len(places)):
                sizes = [len(found[p]) for p in places[: k + 1]]
                codes = np.ravel_multi_index(tuple(index[:, : k + 1].T), sizes)
                counts = np.bincount(codes, minlength=math.prod(sizes)).reshape(-1, sizes[-1]).astype(np.float64)
                tables.append(Table(tuple(places[:k]), counts, tuple(places[k + 1 :])))
            open_after += [count] * len(places)
        labels = tuple(
            tuple(OFF if v == OFF else d.label(v) for v in values)
            for d, values in zip(self.decisions, found, strict=True)
        )
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "tables", tuple(tables))
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "ways_after", tuple(count // before for before in open_after))

    def _check(self) -> None:
        names = [d.name for d in self.decisions]
        if len(set(names)) < len(names):
            raise ConfigError(f"Expected decisions of different names, got {', '.join(names)}.")
        for i, decision in enumerate(self.decisions):
            for name, values in decision.when.items():
                if name not in names[:i]:
                    raise ConfigError(
                        f"Decision {decision.name!r}: expected a condition on one of the decisions before it "
                        f"({', '.join(names[:i]) or 'none'}), got {shown(name)}."
                    )
                other = self.decisions[names.index(name)]
                unknown = [v for v in values if v not in other.values and v not in (other.first or ())]
                if unknown:
                    raise ConfigError(
                        f"Decision {decision.name!r}: its condition expects values of {name!r} out of {other.values}, "
                        f"got {shown(unknown[0])}."
                    )

    def _components(self) -> list[list[int]]:
        """Places that are counted together: what conditions link, with all that stands in between."""
        names = [d.name for d in self.decisions]
        starts = list(range(len(names)))  # the first place of every place's component
        for i, decision in enumerate(self.decisions):
            first = min((starts[names.index(name)] for name in decision.when), default=i)
            starts[first : i + 1] = [min(starts[first], first)] * (i + 1 - first)
        return [[i for i, s in enumerate(starts) if s == start] for start in dict.fromkeys(starts)]

    def _is_legal(self, places: Sequence[int], row: Sequence[Value]) -> bool:
        """Whether every decision of the row is made exactly where its condition holds."""
        chosen = {self.decisions[p].name: v for p, v in zip(places, row, strict=True)}
        for place, value in zip(places, row, strict=True):
            when = self.decisions[place].when
            holds = all(chosen[name] in values for name, values in when.items())
            if holds == (value == OFF):
                return False
        return True


def _values(decision: Decision, layer: int) -> tuple[Value, ...]:
    return (*decision.at(layer), *((OFF,) if decision.when else ()))
