"""Feasible architectures that are rare: at most one in a thousand random ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.testing.landscapes.base import LANDSCAPES, BoundedLandscape, FloatArray, standardised
from gennas.testing.landscapes.spaces import ChoiceSpace

__all__ = ["RareLandscape", "rare_bought"]

_FORBIDDEN = 1 / 3  # of the pairs of labels of neighbours


@LANDSCAPES.register("rare")
class RareLandscape(BoundedLandscape):
    r"""A chain in which a third of what may stand side by side is a conflict, and very few conflicts are allowed.

    .. math::
        f(a) = \sum_t u_t[a_t] + \sum_t v_t[a_t, a_{t+1}], \qquad c(a) = \sum_t F_t[a_t, a_{t+1}] \le c_0

    with standard normal ``u`` and ``v``, and random relations ``F`` that hold for a third of the pairs of labels.
    :math:`c_0` is the largest bound that at most ``share`` of all architectures keep. Values are standard deviations of
    random architectures, from their mean. Along a chain everything is counted by dynamic programming: the feasible
    share and the feasible optimum are exact.

    Args:
        space: independent choices; by default 48 with 4 labels.
        seed: of tables and relations.
        share: of all architectures, at most so many are feasible.
        bought: conflicts are known by evaluations only.

    Raises:
        ConfigError: a share that no bound has.

    Attributes:
        feasible_share: of all architectures.
    """

    cost = "conflicts"

    def __init__(
        self, space: ChoiceSpace | None = None, seed: int = 0, *, share: float = 1e-3, bought: bool = False
    ) -> None:
        space = space or ChoiceSpace()
        d, k = space.schema.num_decisions, space.schema.num_symbols
        rng = np.random.default_rng((4, seed))
        self._single, self._pair = rng.standard_normal((d, k)), rng.standard_normal((d - 1, k, k))
        self._conflict = rng.random((d - 1, k, k)) < _FORBIDDEN
        shares = _shares(self._conflict).cumsum()
        if not shares[0] <= share < 1:
            raise ConfigError(f"Expected a share of feasible ones from {shares[0]:.2g} to 1, got {share}.")
        bound = int(np.flatnonzero(shares <= share)[-1])
        super().__init__(space, f"rare, share {share}, seed {seed}", float(bound), bought=bought)
        self.feasible_share = float(shares[bound])
        self._mean, self._scale = _moments(self._single, self._pair)
        best = _best(self._single, self._pair, self._conflict, bound)
        self.optimum = float((best - self._mean) / self._scale)

    def values(self, population: Population) -> FloatArray:
        """The sum of the tables, standardised, ``(b,)``."""
        D = population.decisions.astype(np.intp)
        sums = self._single[np.arange(D.shape[1]), D].sum(1)
        pairs: FloatArray = self._pair[np.arange(D.shape[1] - 1), D[:, :-1], D[:, 1:]].sum(1)
        return standardised(sums + pairs, self._mean, self._scale)

    def costs(self, population: Population) -> FloatArray:
        """Conflicts between neighbours, ``(b,)``."""
        D = population.decisions.astype(np.intp)
        found: FloatArray = self._conflict[np.arange(D.shape[1] - 1), D[:, :-1], D[:, 1:]].sum(1).astype(np.float64)
        return found


@LANDSCAPES.register("rare-bought")
def rare_bought(space: ChoiceSpace | None = None, seed: int = 0) -> RareLandscape:
    """The landscape ``rare`` whose conflicts cost an evaluation each."""
    return RareLandscape(space, seed, bought=True)


def _shares(conflict: NDArray[np.bool_]) -> FloatArray:
    """Share of all architectures that have 0, 1, … conflicts, ``(d,)``."""
    steps, k, _ = conflict.shape
    share = np.zeros((steps + 1, k))  # by conflicts so far and the last label
    share[0] = 1 / k
    for table in conflict:
        share = (share @ ~table + _later(share, 0.0) @ table) / k
    total: FloatArray = share.sum(1)
    return total


def _best(single: FloatArray, pair: FloatArray, conflict: NDArray[np.bool_], bound: int) -> float:
    """The largest sum with at most ``bound`` conflicts."""
    best = np.full((bound + 1, single.shape[1]), -np.inf)
    best[0] = single[0]
    for own, both, table in zip(single[1:], pair, conflict, strict=True):
        before = np.where(table, _later(best, -np.inf)[..., None], best[..., None])  # (conflicts, from, to)
        best = (before + both).max(1) + own
    return float(best.max())


def _later(rows: FloatArray, fill: float) -> FloatArray:
    """Rows moved to one conflict more."""
    return np.concatenate([np.full_like(rows[:1], fill), rows[:-1]])


def _moments(single: FloatArray, pair: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation over all architectures, exact: only tables that share a decision covary."""
    left, right = pair.mean(2), pair.mean(1)  # of a pair given its first and its second decision, (d - 1, k)
    own = single.copy()  # what is known given one decision
    own[:-1] += left - pair.mean((1, 2))[:, None]
    own[1:] += right - pair.mean((1, 2))[:, None]
    rest = pair - left[:, :, None] - right[:, None, :] + pair.mean((1, 2))[:, None, None]
    mean = single.mean(1).sum() + pair.mean((1, 2)).sum()
    return float(mean), float(np.sqrt(own.var(1).sum() + (rest**2).mean((1, 2)).sum()))
