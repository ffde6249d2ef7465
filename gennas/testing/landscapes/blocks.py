"""Blocks of decisions that only count together."""

from __future__ import annotations

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.testing.landscapes.base import LANDSCAPES, FloatArray, Landscape, standardised
from gennas.testing.landscapes.spaces import ChoiceSpace

__all__ = ["BlocksLandscape"]


@LANDSCAPES.register("blocks")
class BlocksLandscape(Landscape):
    r"""Random disjoint blocks of decisions, each of them a random table: linkage that has to be found.

    .. math:: f(a) = \sum_{B} T_B[a_i : i \in B], \quad T_B \sim \mathrm{Exp}(1)

    in standard deviations of random architectures, from their mean, both exact. Within a block single edits say little,
    between blocks nothing interacts: who knows which decisions go together is done soon. The optimum is exactly known:
    the sum of the tables' maxima. It is trap-like problems' (Deb and Goldberg 1993) without their deception.

    Args:
        space: independent choices; by default 48 with 4 labels.
        seed: of blocks and tables.
        block: decisions of a block.

    Raises:
        ConfigError: blocks do not divide the decisions.

    Example:
        >>> import numpy as np
        >>> landscape = BlocksLandscape(ChoiceSpace(6, 2), block=3)
        >>> everything = np.stack(np.meshgrid(*[range(2)] * 6), -1).reshape(-1, 6)
        >>> best = max(landscape.values(Population.from_decisions(landscape.space.schema, everything)))
        >>> bool(abs(best - landscape.optimum) < 1e-12)
        True
    """

    def __init__(self, space: ChoiceSpace | None = None, seed: int = 0, *, block: int = 3) -> None:
        space = space or ChoiceSpace()
        d, k = space.schema.num_decisions, space.schema.num_symbols
        if block < 1 or d % block:
            raise ConfigError(f"Expected blocks that divide {d} decisions, got blocks of {block}.")
        super().__init__(space, f"blocks of {block}, seed {seed}")
        rng = np.random.default_rng((3, seed))
        self.blocks = rng.permutation(d).reshape(-1, block)
        self._table = rng.exponential(1.0, (len(self.blocks), k**block))
        self._place = k ** np.arange(block)
        # Blocks are independent under a uniform draw, so that means and variances add up.
        self._mean, self._scale = self._table.mean(1).sum(), float(np.sqrt(self._table.var(1).sum()))
        self.optimum = float((self._table.max(1).sum() - self._mean) / self._scale)

    def values(self, population: Population) -> FloatArray:
        """The sum of the blocks' tables, standardised, ``(b,)``."""
        codes = (population.decisions.astype(np.intp)[:, self.blocks] * self._place).sum(-1)  # (b, blocks)
        sums: FloatArray = self._table[np.arange(len(self.blocks)), codes].sum(1)
        return standardised(sums, self._mean, self._scale)
