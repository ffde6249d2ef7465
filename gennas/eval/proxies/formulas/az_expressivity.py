r"""Expressivity of AZ-NAS.

.. math:: \sum_l E_l, \quad E_l = -\sum_i p_i \log p_i, \quad p = \mathrm{eig}(\Sigma_l) / \mathrm{tr}\, \Sigma_l

with :math:`\Sigma_l` the covariance over examples and positions of the channels that block ``l`` returns: how evenly
features fill their space. Blocks are what :func:`gennas.eval.proxies._record.blocks_of` finds.
The source uses Kaiming initialisation and noise. Source: Lee and Ham 2024, "AZ-NAS", arXiv 2403.19232.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["AZExpressivity"]


@PROXIES.register("az_expressivity")
class AZExpressivity(Proxy):
    """Sum over blocks of the entropy of the features' spectrum."""

    name = "az_expressivity"
    needs = frozenset({"data", "activations"})
    passes = frozenset({"blocks"})
    domain = "networks of two blocks or more"

    def score(self, run: Passes) -> float:
        """One forward pass."""
        return sum(run.entropies)
