r"""Sample-wise activation patterns.

.. math:: |\{\, (1[u(x_1) > 0], \dots, 1[u(x_S) > 0]) : u \in \text{units} \,\}|

the distinct sign patterns of units before ReLUs over ``S`` = 32 examples. The source averages over several
initialisations; here one protocol is one initialisation. Source: Peng et al. 2024, "SWAP-NAS", arXiv 2403.04161
(its regularised form multiplies by a Gaussian of the number of parameters around a target).
"""

from __future__ import annotations

import numpy as np
import torch

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["Swap"]


EXAMPLES = 32


@PROXIES.register("swap")
class Swap(Proxy):
    """Distinct sign patterns of units over 32 examples."""

    name = "swap"
    needs = frozenset({"data", "activations"})
    passes = frozenset({"relu"})
    domain = "networks with ReLU"

    def score(self, run: Passes) -> float:
        """One forward pass."""
        signs = run.forward.relu
        if not signs:
            raise NotApplicableError("the network has no ReLU")
        patterns = np.packbits(torch.cat([s[:EXAMPLES] for s in signs], 1).T.cpu().numpy(), axis=1)
        codes = np.zeros((len(patterns), 8 * -(-patterns.shape[1] // 8)), dtype=np.uint8)
        codes[:, : patterns.shape[1]] = patterns
        return float(len(np.unique(codes.view(np.uint64), axis=0 if codes.shape[1] > 8 else None)))
