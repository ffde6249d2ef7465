r"""Norm of the gradient.

.. math:: \sum_l \|\partial L / \partial \theta_l\|_2

over convolution and linear weights, ``L`` the mean cross-entropy of one batch in training mode.
Source: Abdelfattah et al. 2021, arXiv 2101.08134.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["GradNorm"]


@PROXIES.register("grad_norm")
class GradNorm(Proxy):
    """Sum of the Euclidean norms of the loss's gradients, layer by layer."""

    name = "grad_norm"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"gradient"})

    def score(self, run: Passes) -> float:
        """One forward and backward pass."""
        return sum(float(g.norm()) for g in run.gradient.gradients)
