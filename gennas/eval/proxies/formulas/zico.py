r"""Inverse coefficient of variation of gradients.

.. math:: \sum_l \log \sum_{\omega \in l} \frac{\mathbb{E}_i |g_i(\omega)|}{\mathrm{Std}_i\, g_i(\omega)}

over convolution and linear weights, with :math:`g_i` the gradients of two separate batches and the population
standard deviation; weights whose gradients do not vary are left out, and so are layers of such weights only.
Source: Li et al. 2023, "ZiCo", arXiv 2301.11300.
"""

from __future__ import annotations

import math

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Zico"]


@PROXIES.register("zico")
class Zico(Proxy):
    """Sum over layers of the log of mean absolute gradient over its deviation between batches."""

    name = "zico"
    scale = "log"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"gradient", "second_gradient"})
    domain = "tasks with two batches or more"

    def score(self, run: Passes) -> float:
        """A forward and backward pass of two batches."""
        total = 0.0
        for a, b in zip(run.gradient.gradients, run.second_gradient.gradients, strict=True):
            a, b = a.double(), b.double()
            deviation = (a - b).abs() / 2  # of two numbers, around their mean
            varies = deviation > 0
            ratio = float(((a.abs() + b.abs())[varies] / 2 / deviation[varies]).sum())
            total += math.log(ratio) if ratio > 0 else 0.0
        return total
