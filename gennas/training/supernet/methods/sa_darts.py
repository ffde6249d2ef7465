"""SA-DARTS: DARTS with a smooth activation of the architecture parameters as penalty."""

from __future__ import annotations

from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS
from gennas.training.supernet.methods.darts import DARTS

__all__ = ["SADARTS"]


@METHODS.register("sa-darts")
class SADARTS(DARTS):
    r"""Adds :math:`\lambda(t) \sum_{e,k} \mathrm{softplus}(\alpha_{e,k})` to the validation loss.

    Its gradient :math:`\lambda\,\sigma(\alpha)` pulls parameters down, the largest ones most. :math:`\lambda` grows
    linearly from 0 to ``weight``. The formula is *ours, after* Zhou et al., "Regularizing Differentiable Architecture
    Search with Smooth Activation", 2025, arXiv 2504.16306: which activation and weight the paper uses could not be
    checked.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        weight: the last :math:`\lambda`.

    Raises:
        ConfigError: the weight is negative.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None, weight: float = 1.0) -> None:
        if not weight >= 0:
            raise ConfigError(f"sa-darts: expected weight >= 0, got {weight}.")
        super().__init__(space, spec)
        self.weight = weight

    def penalty(self) -> Tensor:
        """The weighted sum of the softplus of all parameters of allowed labels."""
        return self.weight * self.progress * nn.functional.softplus(self.alpha)[self.mask].sum()
