r"""Connection sensitivity.

.. math:: \sum_\theta |\theta \, \partial L / \partial \theta|

over convolution and linear weights, ``L`` the mean cross-entropy of one batch in training mode.
Source: Lee et al. 2019, "SNIP", arXiv 1810.02340; as a proxy: Abdelfattah et al. 2021, arXiv 2101.08134.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Snip"]


@PROXIES.register("snip")
class Snip(Proxy):
    """Sum of abs(weight * gradient) of the loss of one batch."""

    name = "snip"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"gradient"})

    def score(self, run: Passes) -> float:
        """One forward and backward pass."""
        flow = run.gradient
        return sum(float((w * g).abs().sum()) for w, g in zip(flow.weights, flow.gradients, strict=True))
