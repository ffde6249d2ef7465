r"""Logarithmic synaptic flow.

.. math:: \sum_\theta |\theta| \, \log(1 + |\partial R / \partial \theta|), \quad R = 1^T f_{|\theta|}(1)

over convolution and linear weights, as :mod:`gennas.eval.proxies.formulas.synflow` but with normalisation
layers in place (evaluation mode): the logarithm keeps the gradients of deep networks from exploding.

Source: Cavagnero et al. 2023, "FreeREA: Training-Free Evolution-based Architecture Search",
arXiv 2207.05135.
"""

from __future__ import annotations

import math

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import BEYOND_FLOAT64, TooLargeError, UndefinedError
from gennas.eval.proxies.passes import Passes

__all__ = ["LogSynFlow"]


@PROXIES.register("logsynflow")
class LogSynFlow(Proxy):
    """Sum of abs(weight) * log(1 + abs(gradient)) for ones sent through absolute weights."""

    name = "logsynflow"
    needs = frozenset({"gradients"})
    passes = frozenset({"synflow_bn"})

    def score(self, run: Passes) -> float:
        """One forward and backward pass of one example."""
        flow = run.synflow_bn
        pairs = zip(flow.weights, flow.gradients, strict=True)
        total = sum(float((w.abs() * g.abs().log1p()).sum()) for w, g in pairs)
        if total <= 0:
            raise UndefinedError("no flow reaches the output: the network is disconnected")
        if not math.isfinite(total):
            raise TooLargeError(BEYOND_FLOAT64)
        return total
