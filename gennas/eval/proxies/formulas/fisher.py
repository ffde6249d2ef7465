r"""Empirical Fisher information of channels.

.. math:: \sum_l \frac{|\theta_l|}{C_l} \sum_{c=1}^{C_l} \frac{1}{2} \, \frac{1}{B} \sum_b
          \Big( \sum_p z_{bcp} \, \partial L / \partial z_{bcp} \Big)^2

with ``z_l`` the output of a convolution or linear layer, positions ``p`` (pixels or tokens) and channels
``c``; a channel's value counts once per weight that makes it, hence the fan-in in front. ``L`` is the mean
cross-entropy of one batch. Source: Theis et al. 2018, arXiv 1801.05787; Turner et al. 2020, "BlockSwap",
arXiv 1906.04113; as a proxy: Abdelfattah et al. 2021, arXiv 2101.08134.

Matrices used without calling their layer (the projections inside ``nn.MultiheadAttention``) are not seen.
"""

from __future__ import annotations

from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.passes import Passes

__all__ = ["Fisher"]


@PROXIES.register("fisher")
class Fisher(Proxy):
    """Sum over channels of half the mean squared (output * gradient), times fan-in."""

    name = "fisher"
    needs = frozenset({"data", "labels", "gradients", "activations"})
    passes = frozenset({"gradient", "units"})

    def score(self, run: Passes) -> float:
        """One forward and backward pass, outputs recorded."""
        total = 0.0
        for module, output, gradient in run.units:
            channel = 1 if output.ndim >= 4 else output.ndim - 1
            product = (output * gradient).movedim(channel, 1)
            per_example = product.reshape(*product.shape[:2], -1).sum(-1)
            per_channel = per_example.square().mean(0) / 2
            fan_in = sum(p.numel() for p in module.parameters(recurse=False) if p.ndim >= 2) / len(per_channel)
            total += float(per_channel.sum()) * fan_in
        return total
