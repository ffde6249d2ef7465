r"""Multiply-accumulates of one forward pass of one example: a baseline.

Counted as in :func:`gennas.eval.complexity.count_flops`.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Flops"]


@PROXIES.register("flops")
class Flops(Proxy):
    """Multiply-accumulates of one example (of the whole graph for node classifiers)."""

    name = "flops"
    passes = frozenset({"flops"})
    is_cost = True

    def score(self, run: Passes) -> float:
        """One counted forward pass."""
        return run.flops
