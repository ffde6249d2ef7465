r"""Norm of the weights.

.. math:: \sum_l \|\theta_l\|_2

over convolution and linear weights: a baseline that sees neither data nor connections.
Source: Abdelfattah et al. 2021, arXiv 2101.08134.
"""

from __future__ import annotations

from gennas.eval.proxies._weights import weights_of
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["L2Norm"]


@PROXIES.register("l2_norm")
class L2Norm(Proxy):
    """Sum of the Euclidean norms of the weights, layer by layer."""

    name = "l2_norm"
    passes = frozenset({"weights"})

    def score(self, run: Passes) -> float:
        """No pass."""
        return sum(float(w.detach().double().norm()) for w in weights_of(run.original))
