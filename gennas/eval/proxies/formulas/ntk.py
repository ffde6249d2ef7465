r"""Condition number of the neural tangent kernel.

.. math:: \kappa = \lambda_{\max} / \lambda_{\min}, \quad \Theta = J J^T, \quad
          J_i = \partial \sum_c y_{ic} / \partial \theta

over all trainable parameters and 16 examples in training mode; smaller is said to be better. A kernel that
is singular in float64 has no condition number. Source: Chen et al. 2021, arXiv 2102.11535.
"""

from __future__ import annotations

import torch

from gennas.eval.proxies._calls import gradients_of, logits_of
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError, UndefinedError
from gennas.eval.proxies.passes import Passes

__all__ = ["NTK"]


EXAMPLES = 16


@PROXIES.register("ntk")
class NTK(Proxy):
    """Condition number of the neural tangent kernel of 16 examples; smaller is better."""

    name = "ntk"
    direction = "min"
    needs = frozenset({"data", "gradients"})
    passes = frozenset({"examples"})
    domain = "two examples or more"

    def score(self, run: Passes) -> float:
        """A forward pass and a backward pass for each example."""
        batch = run.batch.example(EXAMPLES)
        with run.borrowed(train=True) as net:
            parameters = [p for p in net.parameters() if p.requires_grad]
            logits = logits_of(net, batch.inputs)
            rows = logits if batch.rows is None else logits[batch.rows]
            rows = rows if batch.is_graph else rows.view(len(batch.labels), -1)  # all tokens or pixels of an example
            if len(rows) < 2:
                raise NotApplicableError("it compares examples: expected a batch of two or more, got one")
            gradients = (gradients_of(row.sum(), parameters) for row in rows[:EXAMPLES])
            jacobian = torch.stack([torch.cat([g.flatten() for g in found]).double() for found in gradients])
        v = torch.linalg.eigvalsh(jacobian @ jacobian.T)
        if not float(v[0]) > float(v[-1]) * 1e-15:
            raise UndefinedError("the kernel is singular")
        return float(v[-1] / v[0])
