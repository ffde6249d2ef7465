"""beta-DARTS: DARTS whose parameters' softmax normaliser is kept small."""

from __future__ import annotations

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS
from gennas.training.supernet.methods.darts import DARTS

__all__ = ["BetaDARTS"]


@METHODS.register("beta-darts")
class BetaDARTS(DARTS):
    r"""Adds :math:`\lambda(t)\,\frac{1}{E} \sum_e \log \sum_k e^{\alpha_{e,k}}` to the validation loss.

    Its gradient is :math:`\lambda\,\mathrm{softmax}(\alpha_e) / E`. :math:`\lambda` grows linearly from 0 to
    ``weight``. Source: Ye et al., "beta-DARTS: Beta-Decay Regularization for Differentiable Architecture Search",
    CVPR 2022, arXiv 2203.01665; the default weight is recalled from its experiments on NAS-Bench-201, not checked.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        weight: the last :math:`\lambda`.

    Raises:
        ConfigError: the weight is negative.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None, weight: float = 50.0) -> None:
        if not weight >= 0:
            raise ConfigError(f"beta-darts: expected weight >= 0, got {weight}.")
        super().__init__(space, spec)
        self.weight = weight

    def penalty(self) -> Tensor:
        """The weighted mean of the slots' log-sum-exp."""
        normalisers = torch.logsumexp(self.alpha.masked_fill(~self.mask, float("-inf")), -1)
        return self.weight * self.progress * normalisers.mean()
