r"""Sums of ranks: combinations without labels.

.. math:: \text{log-rank: } \sum_m \log(r_m / N), \qquad \text{mean rank: } \frac{1}{M} \sum_m r_m / N

with :math:`r_m` the rank of a network among the ``N`` that are scored together (1 the worst, ties share their mean
rank). The logarithm makes one bad score cost more than a good one gains. Which proxies to combine is a choice: where
it was made by looking at labels, the combination is not label-free, whatever its formula says.
Source of log-rank: Lee and Ham 2024, "AZ-NAS", arXiv 2403.19232.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gennas.eval.proxies.combine.base import Combination, Scores
from gennas.eval.proxies.formulas.aznas import log_rank

__all__ = ["LogRank", "MeanRank"]


class LogRank(Combination):
    """Sum over proxies of the logarithm of the rank in the population that is scored; no labels.

    Example:
        >>> scores = {"params": [1.0, 2.0, 3.0], "jacov": [0.1, 0.9, 0.5]}
        >>> LogRank().fit(scores).score(scores).round(3).tolist()
        [-2.197, -0.405, -0.405]
    """

    name = "log-rank"

    def score(self, scores: Scores) -> NDArray[np.float64]:
        """The sum, ``(n,)``, at most 0."""
        return log_rank(list(self._table(scores).T))


class MeanRank(Combination):
    """Mean over proxies of the rank in the population that is scored, as a share of it; no labels.

    Example:
        >>> scores = {"params": [1.0, 2.0, 3.0], "jacov": [0.1, 0.9, 0.5]}
        >>> MeanRank().fit(scores).score(scores).round(3).tolist()
        [0.333, 0.833, 0.833]
    """

    name = "mean rank"

    def score(self, scores: Scores) -> NDArray[np.float64]:
        """The mean, ``(n,)``, in (0, 1]."""
        table = self._table(scores)
        mean: NDArray[np.float64] = rankdata(table, axis=0).mean(1) / len(table)
        return mean
