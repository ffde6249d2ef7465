"""FBNet: relaxed samples, and the latency of a table in the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, LossOf, Route
from gennas.training.supernet.methods.latency import as_table, expected_cost
from gennas.training.supernet.methods.probabilities import gumbel_softmax
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["FBNet", "latency_factor"]


@METHODS.register("fbnet")
class FBNet(Relaxation):
    r"""The mixture of a relaxed sample ``m``; the parameters minimise :math:`L_{val} \cdot a\,(\log \mathrm{LAT})^b`.

    .. math::
        \mathrm{LAT} = \mathrm{base} + \sum_t \sum_k m_{t,k} T_{t,k}, \qquad
        \partial\,\mathrm{LAT} / \partial m = T, \qquad
        \partial\,\mathrm{LAT} / \partial \alpha_{t,k} = m_{t,k} (T_{t,k} - \textstyle\sum_j m_{t,j} T_{t,j}) / \tau .

    The weights minimise the loss alone, whose gradient points the same way. The temperature falls
    linearly. Source: Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture
    Search", CVPR 2019, arXiv 1812.03443. For networks that will run in INT8 the table is that of INT8
    latencies and the candidates are fake-quantised (:mod:`gennas.training.supernet.methods.fake_quantisation`).

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        table: latency of every label of every decision, ``(d, L)``, above 0 in all, in a unit in which a network's
            latency is above 1 (the source counts microseconds).
        base: latency of what all architectures share.
        a: factor.
        b: exponent.
        tau_start: first temperature.
        tau_end: last temperature.
        bits: of integers that candidates compute as if in, None for floating point.

    Raises:
        ConfigError: no table, or one that does not fit; a network's least latency is not above 1; a temperature is
            not positive.
    """

    adam: ClassVar[Mapping[str, Any]] = {"lr": 1e-2, "betas": (0.9, 0.999), "weight_decay": 5e-4}

    table: Tensor

    def __init__(
        self,
        space: Space,
        spec: TaskSpec | None = None,
        table: Tensor | None = None,
        base: float = 0.0,
        a: float = 0.2,
        b: float = 0.6,
        tau_start: float = 5.0,
        tau_end: float = 0.2,
        bits: int | None = None,
    ) -> None:
        if table is None or tau_start <= 0 or tau_end <= 0:
            raise ConfigError(
                "fbnet: expected a table of latencies (d, L), as additive_table of this package makes, "
                f"and temperatures above 0; got {'no table' if table is None else 'a table'}, {tau_start}, {tau_end}."
            )
        super().__init__(space, spec)
        costs = as_table(table, space.schema)
        least = base + float(costs.masked_fill(~self.mask, float("inf")).min(1).values.sum())
        if not least > 1:
            raise ConfigError(
                f"fbnet: expected latencies in a unit in which every network takes more than 1, as their logarithm is "
                f"raised to {b}; the least is {least:g}. Use a smaller unit, such as microseconds."
            )
        self.register_buffer("table", costs, persistent=False)
        self.bits = bits
        self.base, self.a, self.b, self.tau = base, a, b, (tau_start, tau_end)
        self.last_latency = float("nan")

    def route(self) -> Route:
        """A relaxed sample of every slot."""
        return list(torch.unbind(self._sample()))

    def objective(self, loss_of: LossOf) -> Tensor:
        """The loss along a relaxed sample times the factor of its latency."""
        m = self._sample()
        latency = self.base + expected_cost(m, self.table)
        self.last_latency = float(latency.detach())
        return loss_of(list(torch.unbind(m))) * latency_factor(latency, self.a, self.b)

    def _sample(self) -> Tensor:
        return gumbel_softmax(self.alpha, self.mask, self.temperature(self.tau))


def latency_factor(latency: Tensor, a: float, b: float) -> Tensor:
    r"""The factor :math:`a\,(\log \mathrm{LAT})^b` of the loss."""
    return a * latency.log() ** b
