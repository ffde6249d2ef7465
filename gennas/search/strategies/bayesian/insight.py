"""What a round's surrogate believed, small enough to be kept: effects of decisions, and its first candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.graph import IntArray, Population

__all__ = ["Insight"]

FloatArray = NDArray[np.float64]

_LEAST = 5  # candidates with a label whose mean is worth telling
_KEPT = 8  # candidates that are kept


@dataclass(frozen=True, eq=False)
class Insight:
    r"""What a surrogate predicts of a pool.

    The effect of label ``s`` of decision ``t`` is the mean prediction of the pool's candidates that have it, less that
    of all:

    .. math:: e_{ts} = \frac{1}{|\{a : a_t = s\}|} \sum_{a_t = s} \mu(a) - \frac{1}{b} \sum_a \mu(a)

    Shapes: ``effects (d, L)``, NaN where fewer than five candidates have the label; ``D (k, d)``, ``mean (k,)``,
    ``deviation (k,)`` of the first candidates, in order.
    """

    effects: FloatArray
    D: IntArray
    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, pool: Population, mean: FloatArray, deviation: FloatArray, value: FloatArray) -> Insight:
        """From a pool with predictions ``(b,)`` and the acquisition's values ``(b,)``.

        Example:
            >>> from gennas.spaces import NASBench201
            >>> pool = NASBench201().sample(200, np.random.default_rng(0))
            >>> mean = (pool.decisions[:, 2] == 3).astype(float)
            >>> insight = Insight.of(pool, mean, np.ones(200), mean)
            >>> [int(i) for i in np.unravel_index(np.nanargmax(insight.effects), insight.effects.shape)]
            [2, 3]
        """
        D, L = pool.decisions, pool.schema.num_symbols
        d = D.shape[1]
        place = (np.arange(d)[None] * L + D).ravel()
        count = np.bincount(place, minlength=d * L)
        total = np.bincount(place, weights=np.repeat(mean - mean.mean(), d), minlength=d * L)
        effects = np.where(count >= _LEAST, total / np.maximum(count, 1), np.nan).reshape(d, L)
        first = np.argsort(-value, kind="stable")[:_KEPT]
        return cls(effects, D[first], mean[first], deviation[first])

    def state_dict(self) -> dict[str, Any]:
        """The arrays."""
        return {"effects": self.effects, "D": self.D, "mean": self.mean, "deviation": self.deviation}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Insight:
        """What :meth:`state_dict` returned."""
        return cls(*(np.asarray(state[name]) for name in ("effects", "D", "mean", "deviation")))
