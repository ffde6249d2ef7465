r"""Synaptic flow.

.. math:: \log \sum_\theta |\theta \, \partial R / \partial \theta|, \quad R = 1^T f_{|\theta|}(1)

over convolution and linear weights. Absolute values stand for all parameters and buffers,
normalisation layers are left out, the input is one example of ones, arithmetic is float64: the sum
itself grows like a product over layers (values of 1e60 are common), so its logarithm is the score.

Source: Tanaka et al. 2020, "Pruning neural networks without any data", arXiv 2006.05467; as a proxy:
Abdelfattah et al. 2021, arXiv 2101.08134.
"""

from __future__ import annotations

import math

import torch

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import BEYOND_FLOAT64, TooLargeError, UndefinedError
from gennas.eval.proxies.passes import Passes

__all__ = ["SynFlow"]


@PROXIES.register("synflow")
class SynFlow(Proxy):
    """Logarithm of the flow of ones through absolute weights: log of the sum of abs(weight * gradient)."""

    name = "synflow"
    scale = "log"
    needs = frozenset({"gradients"})
    passes = frozenset({"synflow"})

    def score(self, run: Passes) -> float:
        """One forward and backward pass of one example."""
        flow = run.synflow
        flows = [(w * g).norm(p=1) for w, g in zip(flow.weights, flow.gradients, strict=True)]
        total = float(torch.stack(flows).sum()) if flows else 0.0
        if total <= 0:
            raise UndefinedError("no flow reaches the output: the network is disconnected")
        if not math.isfinite(total):
            raise TooLargeError(BEYOND_FLOAT64)
        return math.log(total)
