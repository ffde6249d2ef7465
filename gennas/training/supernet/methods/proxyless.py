"""ProxylessNAS: binary gates, two paths at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.latency import as_table, expected_cost
from gennas.training.supernet.methods.probabilities import masked_softmax, straight_through
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["ProxylessNAS"]


@METHODS.register("proxyless")
class ProxylessNAS(Relaxation):
    r"""Gates ``g``, one-hot and drawn from :math:`p = \mathrm{softmax}(\alpha)`, choose what a slot calls.

    The gradient of the parameters is taken through the probabilities instead of the gates:

    .. math:: \partial L / \partial \alpha_i = \sum_j \frac{\partial L}{\partial g_j} p_j (\delta_{ij} - p_i), \qquad
        \partial L / \partial g_j = \langle G, o_j(x) \rangle .

    A step draws two candidates per slot without replacement, takes their probabilities between the two, calls both
    (one with weight 1, one with 0), and afterwards shifts both parameters by the same number, so that the sum of the
    pair's exponentials, and so every other candidate's probability, stays what it was. The weights' step draws one
    path. Pairs are drawn for every decision by itself, so this is for decisions that are choices of modules, not for
    depths and sizes on which others depend.

    With a table of costs the objective adds ``cost_weight`` times the expected cost :math:`\sum_t \sum_k p_{t,k}
    T_{t,k}`, whose gradient, too, reaches only the pairs.

    Source: Cai, Zhu and Han, "ProxylessNAS", ICLR 2019, arXiv 1812.00332.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        table: cost of every label of every decision, ``(d, L)``, such as milliseconds.
        cost_weight: weight of the expected cost.

    Raises:
        ConfigError: the table has another shape or values that are not finite, or the weight is negative.
    """

    adam: ClassVar[Mapping[str, Any]] = {"lr": 1e-3, "betas": (0.0, 0.999), "weight_decay": 0.0}

    table: Tensor | None

    def __init__(
        self, space: Space, spec: TaskSpec | None = None, table: Tensor | None = None, cost_weight: float = 0.1
    ) -> None:
        super().__init__(space, spec)
        if not cost_weight >= 0:
            raise ConfigError(f"proxyless: expected cost_weight >= 0, got {cost_weight}.")
        self.register_buffer("table", None if table is None else as_table(table, space.schema), persistent=False)
        self.cost_weight = cost_weight
        self._pairs: Tensor | None = None

    def weight_route(self) -> Route:
        """One candidate per slot, drawn from the probabilities."""
        return self.strongest(
            self._chances() / torch.empty_like(self.alpha).exponential_()
        )  # a draw, by Gumbel's trick

    def route(self) -> Route:
        """Two candidates per slot, one with weight 1, one with 0; both weights carry the gradient."""
        self._pairs = torch.multinomial(self._chances(), 2)
        p = torch.softmax(self.alpha.gather(1, self._pairs), -1)
        gates = straight_through(torch.nn.functional.one_hot(torch.multinomial(p.detach(), 1)[:, 0], 2).to(p), p)
        pairs: list[list[int]] = self._pairs.tolist()
        return [{i: gates[t, 0], j: gates[t, 1]} for t, (i, j) in enumerate(pairs)]

    def evaluation_route(self) -> Route:
        """The likeliest candidates."""
        return self.likeliest()

    def _chances(self) -> Tensor:
        """The probabilities, of which no allowed one is 0 by round-off."""
        return self.probabilities().detach().clamp_min(1e-12) * self.mask

    def penalty(self) -> Tensor | float:
        """The weighted expected cost, where there is a table."""
        if self.table is None:
            return 0.0
        return self.cost_weight * expected_cost(masked_softmax(self.alpha, self.mask), self.table)

    def settle(self, before: Mapping[str, Tensor]) -> None:
        """Shift the pairs back to the sum of exponentials that they had; nothing else has moved."""
        if self._pairs is None:
            return
        old = before["alpha"]
        new = self.alpha.detach().gather(1, self._pairs)
        shift = torch.logsumexp(old.gather(1, self._pairs), -1) - torch.logsumexp(new, -1)
        with torch.no_grad():
            self.alpha.copy_(old.scatter(1, self._pairs, new + shift[:, None]))
        self._pairs = None
