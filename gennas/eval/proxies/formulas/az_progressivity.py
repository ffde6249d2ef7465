r"""Progressivity of AZ-NAS.

.. math:: \min_l \, (E_{l+1} - E_l)

with :math:`E_l` the entropy of block ``l`` (:mod:`gennas.eval.proxies.formulas.az_expressivity`): features should gain
room from block to block. Source: Lee and Ham 2024, "AZ-NAS", arXiv 2403.19232.
"""

from __future__ import annotations

from itertools import pairwise

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["AZProgressivity"]


@PROXIES.register("az_progressivity")
class AZProgressivity(Proxy):
    """Least gain of the features' entropy from one block to the next."""

    name = "az_progressivity"
    needs = frozenset({"data", "activations"})
    passes = frozenset({"blocks"})
    domain = "networks of two blocks or more"

    def score(self, run: Passes) -> float:
        """One forward pass."""
        return min(after - before for before, after in pairwise(run.entropies))
