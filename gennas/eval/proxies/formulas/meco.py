r"""Minimum eigenvalue of the correlation of feature maps.

.. math:: \sum_l \lambda_{\min}(P_l), \quad P_l = \text{correlation of the channels of layer } l

for one standard normal image, over single layers that return a feature map of several channels (each map counts
once; containers do not count). Correlations with a constant channel are zero. Channels are compared over
pixels or tokens. Source: Jiang et al. 2023, "MeCo", NeurIPS 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gennas.eval.proxies._calls import logits_of
from gennas.eval.proxies._entrance import replacing
from gennas.eval.proxies._record import channels_last, feature_layers, outputs_of
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["MeCo"]


@PROXIES.register("meco")
class MeCo(Proxy):
    """Sum over layers of the smallest eigenvalue of the channels' correlation, one noise image."""

    name = "meco"
    needs = frozenset({"activations"})
    passes = frozenset({"maps"})
    domain = "images"

    def score(self, run: Passes) -> float:
        """One forward pass of one image."""
        if run.batch.is_graph:
            raise NotApplicableError("nodes of a graph have no feature maps")
        generator = torch.Generator().manual_seed(run.seed)

        def noise(t: Tensor) -> Tensor:
            return torch.randn(t.shape, generator=generator).to(t)

        with (
            run.borrowed(train=True) as net,
            torch.no_grad(),
            outputs_of(feature_layers(net)) as maps,
            replacing(run.batch.example().inputs, noise) as inputs,
        ):
            logits_of(net, inputs)
        return sum(_least(out) for _, out, _ in maps if out.ndim >= 3 and channels_last(out).shape[1] > 1)


def _least(features: Tensor) -> float:
    channels = channels_last(features).double().T
    centred = channels - channels.mean(1, keepdim=True)
    norms = centred.norm(dim=1, keepdim=True)
    unit = torch.where(norms > 1e-12, centred / norms.clamp_min(1e-12), torch.zeros_like(centred))
    matrix = unit @ unit.T
    matrix.fill_diagonal_(1.0)
    return max(0.0, float(torch.linalg.eigvalsh(matrix)[0]))
