"""Ranking twice: without what costs something, then with it, among what survived."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Population
from gennas.search.columns import CheapFeatures

if TYPE_CHECKING:
    from gennas.models.surrogate import Group

__all__ = ["feature_groups", "survivors"]

FloatArray = NDArray[np.float64]


def feature_groups(features: CheapFeatures | None, paid: bool) -> list[Group]:
    """A kernel group for every group of columns: the free ones, and with ``paid`` those that cost something."""
    from gennas.models.surrogate import Group

    if features is None:
        return []
    columns = [*features.free, *([features.paid] if paid and features.paid is not None else [])]
    return [Group(group, group.scale, weight=group.weight) for group in columns]


def survivors(
    features: CheapFeatures, archs: Population, pool: Population, value: Callable[[Population], FloatArray], n: int
) -> NDArray[np.intp]:
    """Rows of the candidates that are worth their paid columns, in the pool's order; these are computed.

    Args:
        features: with paid columns, which the evaluated ``archs`` get, too.
        archs: what was evaluated.
        pool: candidates.
        value: what they are ranked by without paid columns, ``(b,)``.
        n: proposals that are wanted.
    """
    assert features.paid is not None
    best = np.argsort(-value(pool), kind="stable")[: n * features.per_proposal]
    rows = np.sort(best)
    features.paid.compute(Population.concat([archs, pool[rows]]))
    return rows
