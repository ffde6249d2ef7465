r"""The four scores of AZ-NAS as one, by the logarithm of their ranks in a population.

.. math:: s = \sum_m \log(r_m / N), \quad m \in \{\text{expressivity, progressivity, trainability, complexity}\}

with :math:`r_m` the rank of a network among ``N`` (1 the worst, ties share their mean rank): one bad score
costs more than a good one gains. Source: Lee and Ham 2024, "AZ-NAS", arXiv 2403.19232.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from gennas.errors import ConfigError
from gennas.eval.proxies.base import PROXIES, PopulationProxy

__all__ = ["AZNAS", "log_rank"]


def log_rank(columns: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Sum over columns ``(n,)`` of the logarithm of each row's rank divided by ``n``; more is better in all columns.

    Raises:
        ConfigError: there are no columns, or they differ in length.

    Example:
        >>> log_rank([[1.0, 2.0], [5.0, 5.0]]).round(4).tolist()
        [-0.9808, -0.2877]
    """
    table = [np.asarray(column, dtype=np.float64) for column in columns]
    if not table or len({column.shape for column in table}) != 1 or table[0].ndim != 1:
        raise ConfigError(f"Expected columns of one length, got shapes {[column.shape for column in table]}.")
    ranks = np.array([rankdata(column, method="average") for column in table])
    total: NDArray[np.float64] = np.log(ranks / ranks.shape[1]).sum(0)
    return total


@PROXIES.register("aznas")
class AZNAS(PopulationProxy):
    """Log-rank of expressivity, progressivity, trainability and complexity within a population."""

    name = "aznas"
    scale = "rank"
    domain = "populations of networks of two blocks or more"
    parts = ("az_expressivity", "az_progressivity", "az_trainability", "az_complexity")

    def combine(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """The log-rank of the parts, ``(n,)`` each."""
        return log_rank([columns[name] for name in self.parts])
