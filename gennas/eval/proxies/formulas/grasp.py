r"""Preservation of gradient flow.

.. math:: -\sum_\theta \theta \, (H g), \quad g = \partial L / \partial \theta, \; H = \partial^2 L / \partial \theta^2

over convolution and linear weights. The minus sign is that of the proxy's authors: without it the
correlation with accuracy was negative. Source: Wang et al. 2020, "Picking winning tickets before training
by preserving gradient flow", arXiv 2002.07376; as a proxy: Abdelfattah et al. 2021, arXiv 2101.08134.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Grasp"]


@PROXIES.register("grasp")
class Grasp(Proxy):
    """Minus the sum of weight * (Hessian times gradient) of the loss of one batch."""

    name = "grasp"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"gradient", "curvature"})

    def score(self, run: Passes) -> float:
        """One forward and two backward passes, the second through the first."""
        flow = run.curvature
        return -sum(float((w * h).sum()) for w, h in zip(flow.weights, flow.gradients, strict=True))
