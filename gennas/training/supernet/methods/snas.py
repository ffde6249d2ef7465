"""SNAS: a relaxed sample weighs all candidates."""

from __future__ import annotations

import torch

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.probabilities import gumbel_softmax
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["SNAS"]


@METHODS.register("snas")
class SNAS(Relaxation):
    r"""Every slot gives :math:`y = \sum_k z_k o_k(x)`, :math:`z = \mathrm{softmax}((\log p + g) / \tau)`.

    For one sample :math:`\partial L / \partial \alpha_k = z_k \langle G, o_k(x) - y \rangle / \tau`. The temperature
    falls linearly. Source: Xie et al., "SNAS: Stochastic Neural Architecture Search", ICLR 2019, arXiv 1812.09926;
    its resource term is not part of this class.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        tau_start: first temperature.
        tau_end: last temperature.

    Raises:
        ConfigError: a temperature is not positive.
    """

    def __init__(
        self, space: Space, spec: TaskSpec | None = None, tau_start: float = 1.0, tau_end: float = 0.03
    ) -> None:
        if tau_start <= 0 or tau_end <= 0:
            raise ConfigError(f"Expected temperatures above 0, got {tau_start} and {tau_end}.")
        super().__init__(space, spec)
        self.tau = (tau_start, tau_end)

    def route(self) -> Route:
        """A relaxed sample of every slot."""
        return list(torch.unbind(gumbel_softmax(self.alpha, self.mask, self.temperature(self.tau))))
