"""A hard bound on a cost, by looking ahead to a cheap way to go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, IntArray
from gennas.models.base import Legality

__all__ = ["Cost", "within_bound"]

Cost = Callable[[IntArray], NDArray[np.number[Any]]]
"""``cost(D (b, d)) -> (b,)`` of legal architectures."""


def within_bound(
    schema: GraphSchema,
    cost: Cost,
    bound: float,
    legal: Legality | None = None,
    cheapest: NDArray[np.number[Any]] | None = None,
) -> Legality:
    """A constraint for :class:`Decisions` that leaves the architectures of ``cost <= bound``.

    A label is allowed if the architecture that begins so and goes on with the legal labels of the least ``cheapest``
    is inside the bound. Two things hold by construction: whatever is drawn is inside the bound, because nothing is left
    to go on with after the last decision, and there always is a label, because the way to go on that was looked at for
    one label is looked at again after it. Where ``cheapest`` leads to the cheapest of all that begin so (as it does for
    costs that grow with each decision's label), nothing inside the bound is left out.

    Args:
        schema: the schema of the architectures.
        cost: what is bounded, such as parameters.
        bound: its largest value.
        legal: legality of the space.
        cheapest: ``(d, L)`` how expensive each label is thought to be; None: the lower label is the cheaper.

    Raises:
        ConfigError: the cheapest way from the start is above the bound.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> few = within_bound(space.schema, lambda D: (D > 1).sum(1), 2)  # at most two edges that compute
        >>> few(np.array([[3, 4, 0, 0, 0, 0]]), 2)
        array([[ True,  True, False, False, False]])
    """
    order = np.arange(schema.num_symbols)[None].repeat(schema.num_decisions, 0) if cheapest is None else cheapest
    price = np.argsort(np.argsort(order, axis=1, kind="stable"), axis=1)  # places, so that an illegal one can be larger

    def completed(D: IntArray, t: int) -> IntArray:
        for s in range(t, schema.num_decisions):
            mask = schema.decision_mask[s] if legal is None else legal(D, s)
            D[:, s] = np.where(np.broadcast_to(mask, (len(D), schema.num_symbols)), price[s], price.max() + 1).argmin(1)
        return D

    def inside(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
        mask = schema.decision_mask[t] if legal is None else legal(D, t)
        mask = np.broadcast_to(mask, (len(D), schema.num_symbols))
        row, label = np.nonzero(mask)
        tried = np.array(D[row], dtype=np.int16)
        tried[:, t] = label
        found = np.zeros(mask.shape, dtype=bool)
        found[row, label] = np.asarray(cost(completed(tried, t + 1)), dtype=np.float64) <= bound
        return found

    least = np.asarray(cost(completed(np.zeros((1, schema.num_decisions), dtype=np.int16), 0)))
    if not bool(least[0] <= bound):
        raise ConfigError(
            f"{schema.name}: expected a bound of at least {least[0]:,}, the least there is; got {bound:,}."
        )
    return inside
