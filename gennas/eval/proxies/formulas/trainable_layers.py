r"""Number of layers with weights.

Convolution, linear and attention layers that hold a trainable kernel or matrix; normalisation does not
count. On NAS-Bench-201 this is the best single score published (tau .626 on CIFAR-10), so it stands beside
every proxy. Source: Tybl and Neumann 2025, arXiv 2502.04975, where it is a part of VKDNW.
"""

from __future__ import annotations

from gennas.eval.proxies._weights import weighted_layers
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["TrainableLayers"]


@PROXIES.register("trainable_layers")
class TrainableLayers(Proxy):
    """Number of layers that hold a trainable kernel or matrix."""

    name = "trainable_layers"
    passes = frozenset({"weights"})

    def score(self, run: Passes) -> float:
        """Count."""
        return float(len(weighted_layers(run.original)))
