r"""Covariance of the Jacobian's rows.

.. math:: -\sum_{i=1}^{B} \Big[ \log(v_i + k) + \frac{1}{v_i + k} \Big], \quad k = 10^{-5}

with ``v`` the eigenvalues of the correlation matrix of the rows of :math:`J`, :math:`J_i = \partial \sum_c
y_{ic} / \partial x_i` flattened: it is largest where the network answers to every example in another way.
Labels are not used. The sign of its correlation with accuracy depends on the space (.82 on NAS-Bench-201,
-.50 on NAS-Bench-101). Source: Mellor et al. 2021, arXiv 2006.04647v1.
"""

from __future__ import annotations

import torch

from gennas.eval.proxies._linear import correlation
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Jacov"]


K = 1e-5


@PROXIES.register("jacov")
class Jacov(Proxy):
    """Spread of the correlation matrix of input gradients over the examples of a batch."""

    name = "jacov"
    needs = frozenset({"data", "gradients"})
    passes = frozenset({"jacobian"})
    domain = "independent examples, two or more"

    def score(self, run: Passes) -> float:
        """One forward and backward pass."""
        v = torch.linalg.eigvalsh(correlation(run.jacobian))
        return float(-((v + K).log() + 1 / (v + K)).sum())
