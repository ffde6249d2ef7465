r"""Complexity of AZ-NAS: multiply-accumulates of one example, as :mod:`gennas.eval.proxies.formulas.flops`.

Source: Lee and Ham 2024, "AZ-NAS", arXiv 2403.19232.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["AZComplexity"]


@PROXIES.register("az_complexity")
class AZComplexity(Proxy):
    """Multiply-accumulates of one example, as a term of AZ-NAS."""

    name = "az_complexity"
    passes = frozenset({"flops"})

    def score(self, run: Passes) -> float:
        """One counted forward pass."""
        return run.flops
