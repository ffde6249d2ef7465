r"""Number of linear regions seen by a batch.

.. math:: |\{\, (c_1(x), c_2(x), \dots) : x \in \text{batch} \,\}|

the distinct patterns of signs before all ReLUs over the examples of a batch. It cannot exceed the batch
size, and reaches it for all but very small networks: use large batches and small inputs, as the source does
(thousands of 3x3 images, one channel), or take it for what it is, a test of degenerate networks.
Source: Chen et al. 2021, "Neural architecture search on ImageNet in four GPU hours", arXiv 2102.11535.
"""

from __future__ import annotations

import numpy as np
import torch

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["LinearRegions"]


@PROXIES.register("linear_regions")
class LinearRegions(Proxy):
    """Distinct sign patterns before ReLUs over a batch."""

    name = "linear_regions"
    needs = frozenset({"data", "activations"})
    passes = frozenset({"relu"})
    domain = "networks with ReLU"

    def score(self, run: Passes) -> float:
        """One forward pass."""
        signs = run.forward.relu
        if not signs:
            raise NotApplicableError("the network has no ReLU")
        return float(len({row.tobytes() for row in np.packbits(torch.cat(signs, 1).cpu().numpy(), axis=1)}))
