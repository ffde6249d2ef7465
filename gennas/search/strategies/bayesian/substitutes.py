"""What computes the same as a good candidate that breaks a constraint on cheap metrics, and keeps it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Architecture, Population
from gennas.spaces.base import Space

__all__ = ["Substitutes"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_RARE = 0.05  # share of a class that keeps the constraints, up to which one of these is evaluated in place of others


class Substitutes:
    """Architectures to evaluate in place of candidates that break a constraint on cheap metrics.

    Where a space knows architectures that compute the same (:meth:`gennas.spaces.base.Space.equivalents`), one of them
    may meet a bound on latency or parameters that another breaks. A surrogate that sees labels of decisions
    does not know that they are equal, and may expect much of one and little of the other. So the one that breaks the
    bound stays in the pool and is ranked as what it is, and an equal one is evaluated in its place: of those that
    keep the constraints the one with the fewest different decisions. Only where these are rare, at most one in twenty
    of the class: else the pool holds some of them anyway, and what was learned of them by themselves is the better
    guide. Once anything of a class was proposed there are no more substitutes for it, and every architecture speaks
    for itself.

    What is looked at counts as screened. Other spaces, and searches without cheap constraints, are not changed.

    Args:
        space: where candidates belong.
        keeps: which of some architectures keep the constraints on cheap metrics, ``(b,)``.
    """

    def __init__(self, space: Space, keeps: Callable[[Population], BoolArray]) -> None:
        self.space, self._keeps = space, keeps
        self._known = type(space).equivalents is not Space.equivalents
        self._classes: dict[str, tuple[frozenset[str], Population]] = {}  # all keys, and what keeps the constraints
        self._nearest: dict[str, Architecture] = {}

    def of(self, archs: Population, seen: Collection[str]) -> dict[int, Architecture]:
        """The substitute, by row, of each architecture that breaks a constraint and has one; ``seen`` was proposed."""
        if not self._known or not len(archs):
            return {}
        found, seen, keys = {}, frozenset(seen), archs.keys
        for i in np.flatnonzero(~self._keeps(archs)).tolist():
            if keys[i] not in self._classes:
                self._look_at(archs[i])
            members, kept = self._classes[keys[i]]
            if 0 < len(kept) <= _RARE * len(members) and members.isdisjoint(seen):
                if keys[i] not in self._nearest:
                    edits = (kept.decisions != archs.decisions[i]).sum(1)
                    self._nearest[keys[i]] = kept[int(edits.argmin())]
                found[i] = self._nearest[keys[i]]
        return found

    def admits(self, archs: Population, seen: Collection[str]) -> BoolArray:
        """Whether each keeps the constraints or has a substitute that does, ``(b,)``."""
        kept = self._keeps(archs).copy()
        kept[list(self.of(archs, seen))] = True
        return kept

    def pool(
        self, archs: Population, seen: Collection[str], value: Callable[[Population], FloatArray]
    ) -> tuple[NDArray[np.intp], Mapping[str, Architecture]]:
        """Rows to rank, in order, and by key what is evaluated in place of some; no two rows propose the same.

        Of several that would, the one with the greatest ``value (b,)`` stays. Without any substitute there are no rows.
        """
        instead = self.of(archs, seen)
        if not instead:
            return np.array([], dtype=np.intp), {}
        rows = np.array(sorted([*np.flatnonzero(self._keeps(archs)).tolist(), *instead]))
        order = rows[np.argsort(-value(archs[rows]), kind="stable")].tolist()
        keys = archs.keys
        _, first = np.unique(np.array([instead[i].key if i in instead else keys[i] for i in order]), return_index=True)
        chosen = np.sort(np.array(order)[first])
        return chosen, {keys[i]: instead[i] for i in chosen.tolist() if i in instead}

    def _look_at(self, arch: Architecture) -> None:
        """Note what computes the same as an architecture, for all that do."""
        others = self.space.equivalents(arch)
        kept = others[self._keeps(others)] if len(others) else others
        keys = frozenset([arch.key, *others.keys])
        self._classes.update(dict.fromkeys(keys, (keys, kept)))
