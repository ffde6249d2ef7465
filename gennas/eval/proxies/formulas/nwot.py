r"""Overlap of activation patterns (neural architecture search without training).

.. math:: \log |\det K_H|, \quad K_H = \sum_{\text{ReLU}} c\,c^T + (1 - c)(1 - c)^T

with ``c (b, units)`` the indicator that a unit's input is positive. Every ReLU that is called counts, also
one on a branch that leads nowhere. Examples are the images of a batch, or 128 nodes of a graph.
Source: Mellor et al. 2021, "Neural architecture search without training", arXiv 2006.04647.
"""

from __future__ import annotations

import torch

from gennas.eval.proxies._linear import sign_kernel
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["Nwot"]


@PROXIES.register("nwot")
class Nwot(Proxy):
    """Log-determinant of the overlap of sign patterns before ReLUs."""

    name = "nwot"
    scale = "log"
    needs = frozenset({"data", "activations"})
    passes = frozenset({"relu"})
    domain = "networks with ReLU"

    def score(self, run: Passes) -> float:
        """One forward pass."""
        signs = run.forward.relu
        if not signs:
            raise NotApplicableError("the network has no ReLU; nwot_gelu takes GELU and SiLU too")
        _, value = torch.linalg.slogdet(sign_kernel(signs))
        return float(value)
