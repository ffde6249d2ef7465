r"""Zen score.

.. math:: \log \mathbb{E} \| f(x + \alpha \epsilon) - f(x) \|_1 + \sum_{\text{BN}} \log \sqrt{\overline{\sigma^2}}

with ``f`` the last feature map before global pooling, standard normal weights, ``x`` and ``\epsilon`` standard
normal, ``\alpha`` = 0.01, and :math:`\overline{\sigma^2}` the mean over channels of a batch norm's batch variance: its
factor undoes the scaling that batch norm would hide. Source: Lin et al. 2021, "Zen-NAS", arXiv 2102.01063.
"""

from __future__ import annotations

import math

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError, UndefinedError
from gennas.eval.proxies.passes import Passes

__all__ = ["Zen"]


@PROXIES.register("zen")
class Zen(Proxy):
    """Log of the change under a small perturbation of the input, batch norm's scaling put back."""

    name = "zen"
    scale = "log"
    needs = frozenset({"batch_norm", "activations"})
    passes = frozenset({"perturbation"})
    domain = "convolutional networks with batch norm"

    def score(self, run: Passes) -> float:
        """Two forward passes of noise through weights drawn anew."""
        change, variances = run.perturbation
        if not variances:
            raise NotApplicableError("the network has no batch norm")
        if not change > 0:
            raise UndefinedError("the feature map does not depend on the input: the network is disconnected")
        return math.log(change) + sum(0.5 * math.log(v) for v in variances)
