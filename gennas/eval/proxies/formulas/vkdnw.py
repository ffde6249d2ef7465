r"""Variance of knowledge of deep network weights: how evenly the Fisher information's spectrum is spread.

.. math:: n_l - \sum_{q} p_q \log p_q, \quad p_q = \frac{\lambda_q}{\sum_r \lambda_r}, \quad
          F = \frac{1}{S} \sum_i J_i^T \big( \mathrm{diag}(\pi_i) - \pi_i \pi_i^T \big) J_i

with :math:`n_l` the number of layers with weights, :math:`\lambda_q` the nine deciles (10 to 90 %) of the eigenvalues
of the Fisher information ``F`` of one weight in each of the first 128 trainable tensors (the middle one),
:math:`\pi_i` the softmax of example ``i`` and :math:`J_i` the Jacobian of its logits, in evaluation mode over
``S`` = 16 examples. The entropy lies between 0 and log 9, so it decides among networks of equal depth.
The source uses Kaiming initialisation. Source: Tybl and Neumann 2025, "Training-free neural architecture search
through variance of knowledge of deep network weights", arXiv 2502.04975.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gennas.eval.proxies._calls import gradients_of, logits_of
from gennas.eval.proxies._weights import weighted_layers
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.batch import ProxyBatch
from gennas.eval.proxies.outcome import UndefinedError
from gennas.eval.proxies.passes import Passes

__all__ = ["VKDNW"]


EXAMPLES, TENSORS = 16, 128


@PROXIES.register("vkdnw")
class VKDNW(Proxy):
    """Number of layers plus the entropy of the deciles of the Fisher information's spectrum."""

    name = "vkdnw"
    needs = frozenset({"data", "gradients"})
    passes = frozenset({"fisher_matrix"})
    domain = "classifiers"

    def score(self, run: Passes) -> float:
        """A forward pass and a backward pass for each class, for each of 16 examples."""
        batch = run.batch.example(EXAMPLES)
        with run.borrowed(train=False) as net:
            tensors = [p for p in net.parameters() if p.requires_grad][:TENSORS]
            fisher = torch.zeros(len(tensors), len(tensors), dtype=torch.float64)
            for logits in _examples(net, batch):
                pi = logits.detach().double().softmax(0).cpu()
                rows = [[float(g.flatten()[g.numel() // 2]) for g in gradients_of(y, tensors)] for y in logits]
                jacobian = torch.tensor(rows, dtype=torch.float64)
                fisher += jacobian.T @ (pi.diag() - pi.outer(pi)) @ jacobian
        v = torch.linalg.eigvalsh(fisher).clamp_min(0)
        deciles = torch.quantile(v, torch.linspace(0.1, 0.9, 9, dtype=torch.float64))
        if not float(deciles.sum()) > 0:
            raise UndefinedError("the Fisher information vanishes")
        p = deciles / deciles.sum()
        return len(weighted_layers(run.original)) - float(torch.special.xlogy(p, p).sum())


def _examples(net: nn.Module, batch: ProxyBatch) -> Iterator[Tensor]:
    """Logits ``(classes,)`` of one example after the other, each with a graph of its own unless they are nodes.

    Of tokens and pixels it is the last one, which sees all others of a text.
    """
    if batch.is_graph:
        logits = logits_of(net, batch.inputs)
        yield from (logits if batch.rows is None else logits[batch.rows])[:EXAMPLES]
        return
    for i in range(len(batch.labels)):
        yield logits_of(net, batch.at(slice(i, i + 1)).inputs)[-1]
