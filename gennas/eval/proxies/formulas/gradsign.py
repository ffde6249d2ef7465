r"""Agreement of the gradients' signs.

.. math:: \sum_\omega \Big| \sum_i \mathrm{sign} \, \partial L_i / \partial \omega \Big|

over all trainable parameters, :math:`L_i` the cross-entropy of example ``i`` alone, in training mode. With
random labels its correlation with accuracy turns negative: take a batch of a task.
Source: Zhang and Jia 2022, "GradSign", arXiv 2110.08616.
"""

from __future__ import annotations

import torch

from gennas.eval.proxies._calls import gradients_of, logits_of, loss_of
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["GradSign"]


@PROXIES.register("gradsign")
class GradSign(Proxy):
    """Agreement of the signs of single examples' gradients, summed over parameters."""

    name = "gradsign"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"examples"})
    domain = "independent examples with real labels"

    def score(self, run: Passes) -> float:
        """A forward and backward pass for each example."""
        if run.batch.is_graph:
            raise NotApplicableError("nodes of a graph are no independent examples")
        with run.borrowed(train=True) as net:
            parameters = [p for p in net.parameters() if p.requires_grad]
            totals = [torch.zeros_like(p) for p in parameters]
            for i in range(len(run.batch.labels)):
                example = run.batch.at(slice(i, i + 1))
                loss = loss_of(logits_of(net, example.inputs), example)
                for total, gradient in zip(totals, gradients_of(loss, parameters), strict=True):
                    total += gradient.sign()
        return sum(float(total.abs().sum()) for total in totals)
