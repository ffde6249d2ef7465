r"""Number of parameters, :math:`\sum_\theta 1`: the baseline that every proxy has to beat."""

from __future__ import annotations

from gennas.eval.complexity import count_parameters
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Params"]


@PROXIES.register("params")
class Params(Proxy):
    """Number of parameters, shared ones counted once."""

    name = "params"
    passes = frozenset({"weights"})
    is_cost = True

    def score(self, run: Passes) -> float:
        """Count."""
        return float(count_parameters(run.original))
