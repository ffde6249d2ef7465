r"""Signed first-order change of the loss.

.. math:: \sum_\theta \theta \, \partial L / \partial \theta

over convolution and linear weights. Its rank among networks does not survive another initialisation.
Source: Mozer and Smolensky 1989, "Skeletonization"; as a proxy: Abdelfattah et al. 2021, arXiv 2101.08134.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Plain"]


@PROXIES.register("plain")
class Plain(Proxy):
    """Sum of weight * gradient of the loss of one batch, signed."""

    name = "plain"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"gradient"})

    def score(self, run: Passes) -> float:
        """One forward and backward pass."""
        flow = run.gradient
        return sum(float((w * g).sum()) for w, g in zip(flow.weights, flow.gradients, strict=True))
