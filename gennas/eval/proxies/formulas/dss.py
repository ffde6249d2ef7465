r"""Diversity and saliency of a vision transformer.

.. math:: \sum_{W \in \text{attention}} \| \partial R / \partial W \|_* \, \| W \|_* +
          \sum_{W \notin \text{attention}} \sum |W \, \partial R / \partial W|

with :math:`\|\cdot\|_*` the nuclear norm and ``R`` the summed output for ones under absolute parameters, as in
:mod:`gennas.eval.proxies.formulas.synflow` but with layer norm in place (float64). A stacked projection of queries,
keys and values counts as three matrices; attention is every weight in a module whose class name contains
"attention" or "attn". Source: Zhou et al. 2022, "Training-free transformer architecture search", arXiv 2203.12217.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gennas.eval.proxies._weights import named_weights
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["DSS"]


@PROXIES.register("dss")
class DSS(Proxy):
    """Nuclear norms of attention matrices and their gradients plus the flow of all other weights."""

    name = "dss"
    needs = frozenset({"gradients"})
    passes = frozenset({"synflow_bn"})
    domain = "transformers"

    def score(self, run: Passes) -> float:
        """One forward and backward pass, singular values of the attention's matrices."""
        inside = _attention_weights(run.original)
        if not inside:
            raise NotApplicableError("the network has no attention")
        flow, total = run.synflow_bn, 0.0
        for name, w, g in zip(flow.names, flow.weights, flow.gradients, strict=True):
            if name in inside:
                parts = 3 if w.shape[0] == 3 * w.shape[1] else 1
                total += sum(_nuclear(a) * _nuclear(b) for a, b in zip(w.chunk(parts), g.chunk(parts), strict=True))
            else:
                total += float((w * g).abs().sum())
        return total


def _nuclear(matrix: Tensor) -> float:
    return float(torch.linalg.svdvals(matrix.flatten(1)).sum())


def _attention_weights(net: nn.Module) -> set[str]:
    """Names of the weights inside attention modules."""
    scopes = [
        name for name, m in net.named_modules() if any(k in type(m).__name__.lower() for k in ("attention", "attn"))
    ]
    return {name for name, _ in named_weights(net) if any(name.startswith(f"{s}." if s else "") for s in scopes)}
