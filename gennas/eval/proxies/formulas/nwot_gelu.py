r"""Overlap of activation patterns for networks with smooth activations.

.. math:: \log |\det K_H|, \quad K_H = \sum_{\text{activations}} c\,c^T + (1 - c)(1 - c)^T

as :mod:`gennas.eval.proxies.formulas.nwot`, with ``c`` the indicator that the input of a ReLU, GELU, SiLU, hard swish,
ELU or Mish is positive: a GELU's sign pattern stands for the linear region that a ReLU would have. For vision
transformers; with ReLUs alone it equals ``nwot``. Source: Mellor et al. 2021, arXiv 2006.04647, and its use on
transformers in Casarin et al. 2025, "L-SWAG", arXiv 2505.07300.
"""

from __future__ import annotations

import torch

from gennas.eval.proxies._linear import sign_kernel
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["NwotGelu"]


@PROXIES.register("nwot_gelu")
class NwotGelu(Proxy):
    """Log-determinant of the overlap of sign patterns before ReLUs, GELUs, SiLUs and their kin."""

    name = "nwot_gelu"
    scale = "log"
    needs = frozenset({"data", "activations"})
    passes = frozenset({"gelu"})
    domain = "networks with ReLU, GELU, SiLU or ELU"

    def score(self, run: Passes) -> float:
        """One forward pass."""
        signs = run.forward.gelu
        if not signs:
            raise NotApplicableError("the network has no ReLU, GELU, SiLU or ELU")
        _, value = torch.linalg.slogdet(sign_kernel(signs))
        return float(value)
