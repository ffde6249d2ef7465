"""NK landscapes: every decision's part depends on a few others.

Source: Kauffman and Weinberger, "The NK model of rugged fitness landscapes and its application to maturation of the
immune response", Journal of Theoretical Biology 141 (1989).
"""

from __future__ import annotations

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.testing.landscapes.base import DRAWS, LANDSCAPES, FloatArray, Landscape, standardised
from gennas.testing.landscapes.spaces import ChoiceSpace

__all__ = ["NKLandscape"]


@LANDSCAPES.register("nk")
class NKLandscape(Landscape):
    r"""Sum over decisions of a random table of the decision and of :math:`K` random others.

    .. math:: f(a) = \sum_i T_i[a_i, a_{n_1(i)}, \ldots, a_{n_K(i)}], \quad T_i \sim N(0, 1)

    in standard deviations of random architectures, from their mean. More ``partners`` make it more rugged; with 0 every
    decision counts for itself. The optimum is not known.

    Args:
        space: independent choices; by default 48 with 4 labels.
        seed: of tables and partners.
        partners: ``K``.

    Raises:
        ConfigError: fewer than 0 partners, or more than there are other decisions.

    Example:
        >>> landscape = NKLandscape(ChoiceSpace(6, 2), seed=1)  # sums of six tables
        >>> best = max(landscape.values(landscape.space.sample(500, np.random.default_rng(0))))
        >>> bool(1 < best < 4)
        True
    """

    def __init__(self, space: ChoiceSpace | None = None, seed: int = 0, *, partners: int = 2) -> None:
        space = space or ChoiceSpace()
        d, k = space.schema.num_decisions, space.schema.num_symbols
        if not 0 <= partners < d:
            raise ConfigError(f"Expected 0 to {d - 1} partners of {d} decisions, got {partners}.")
        super().__init__(space, f"nk, K={partners}, seed {seed}")
        rng = np.random.default_rng((1, seed))
        others = [rng.permutation(np.delete(np.arange(d), i))[:partners] for i in range(d)]
        self._read = np.concatenate([np.arange(d)[:, None], np.array(others, dtype=np.intp).reshape(d, partners)], 1)
        self._table = rng.standard_normal((d, k ** (partners + 1)))
        self._place = k ** np.arange(partners + 1)
        drawn = self._sums(space.sample(DRAWS, rng))
        self._mean, self._scale = drawn.mean(), drawn.std()

    def _sums(self, population: Population) -> FloatArray:
        codes = (population.decisions.astype(np.intp)[:, self._read] * self._place).sum(-1)  # (b, d)
        sums: FloatArray = self._table[np.arange(len(self._read)), codes].sum(1)
        return sums

    def values(self, population: Population) -> FloatArray:
        """The sum of tables, standardised, ``(b,)``."""
        return standardised(self._sums(population), self._mean, self._scale)
