"""Ordinal choices with diminishing returns, some pairs that interact, and a bound on what they cost."""

from __future__ import annotations

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.testing.landscapes.base import DRAWS, LANDSCAPES, BoundedLandscape, FloatArray, standardised
from gennas.testing.landscapes.spaces import ChoiceSpace

__all__ = ["AdditiveLandscape"]


@LANDSCAPES.register("additive")
class AdditiveLandscape(BoundedLandscape):
    r"""What supernets look like to a search: more is better, less and less so, at a price, and a few pairs go together.

    .. math::
        f(a) = \sum_i \Bigl( 0.6 \sum_{s \le a_i} \lambda_s |z_{is}| + 0.4\, u_{i a_i} \Bigr)
             + 0.7 \sum_{(i, j)} v_{ij}[a_i, a_j], \qquad
        c(a) = \sum_i e^{0.4 w_i} a_i^{1.2} \le c_{0.2}

    with standard normal ``z``, ``u``, ``v`` and ``w``, :math:`\lambda = 1, .6, .35, .2, \ldots` and random pairs. The
    bound is the 20 % quantile of random architectures' cost, which is known without an evaluation. Values are standard
    deviations of random architectures, from their mean; the optimum is not known.

    Args:
        space: independent choices; by default 50 with 4 ordinal labels.
        seed: of everything random.
        pairs: random pairs that interact.
        quantile: share of random architectures that keep the bound.

    Raises:
        ConfigError: a single decision, or a quantile outside of (0, 1].
    """

    def __init__(
        self, space: ChoiceSpace | None = None, seed: int = 0, *, pairs: int = 100, quantile: float = 0.2
    ) -> None:
        space = space or ChoiceSpace(50, 4, ordinal=True)
        d, k = space.schema.num_decisions, space.schema.num_symbols
        if d < 2 or not 0 < quantile <= 1:
            raise ConfigError(f"Expected two decisions or more and a quantile in (0, 1], got {d} and {quantile}.")
        rng = np.random.default_rng((2, seed))
        returns = 0.6 * np.cumsum(np.abs(rng.standard_normal((d, k))) * _diminishing(k), axis=1)
        self._single = returns + 0.4 * rng.standard_normal((d, k))
        self._pairs = np.array([rng.choice(d, 2, replace=False) for _ in range(pairs)], dtype=np.intp).reshape(pairs, 2)
        self._tables = 0.7 * rng.standard_normal((pairs, k, k))
        self._price = rng.lognormal(0.0, 0.4, (d, 1)) * np.arange(1, k + 1) ** 1.2
        drawn = space.sample(DRAWS, rng)
        super().__init__(
            space, f"additive, {pairs} pairs, seed {seed}", float(np.quantile(self.costs(drawn), quantile))
        )
        sums = self._sums(drawn)
        self._mean, self._scale = sums.mean(), sums.std()

    def _sums(self, population: Population) -> FloatArray:
        D = population.decisions.astype(np.intp)
        first, second = D[:, self._pairs[:, 0]], D[:, self._pairs[:, 1]]  # (b, pairs)
        together = self._tables[np.arange(len(self._pairs)), first, second].sum(1)
        sums: FloatArray = self._single[np.arange(D.shape[1]), D].sum(1) + together
        return sums

    def values(self, population: Population) -> FloatArray:
        """The sum, standardised, ``(b,)``."""
        return standardised(self._sums(population), self._mean, self._scale)

    def costs(self, population: Population) -> FloatArray:
        """The prices of all choices together, ``(b,)``."""
        D = population.decisions.astype(np.intp)
        costs: FloatArray = self._price[np.arange(D.shape[1]), D].sum(1)
        return costs


def _diminishing(k: int) -> FloatArray:
    """1, .6, .35, .2, and then 0.6 times the one before, ``(k,)``."""
    found = [1.0, 0.6, 0.35, 0.2]
    while len(found) < k:
        found.append(0.6 * found[-1])
    return np.array(found[:k])
