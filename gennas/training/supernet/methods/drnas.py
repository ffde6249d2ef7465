"""DrNAS: the weights of the candidates are drawn from a Dirichlet distribution that is learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["DrNAS", "dirichlet_kl"]


@METHODS.register("drnas")
class DrNAS(Relaxation):
    r"""Every slot gives :math:`y = \sum_k \theta_k o_k(x)`, :math:`\theta \sim \mathrm{Dir}(\beta)`,
    :math:`\beta = \mathrm{elu}(\alpha) + 1`.

    Gradients reach :math:`\beta` through the samples. The objective adds
    :math:`\lambda\,\mathrm{KL}(\mathrm{Dir}(\beta) \,\|\, \mathrm{Dir}(1))` of every slot. An architecture is made of
    the means :math:`\beta_k / \sum_j \beta_j`. Source: Chen et al., "DrNAS: Dirichlet Neural Architecture Search",
    ICLR 2021, arXiv 2006.10355; its progressive stages with partial channels are not part of this class.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        kl_weight: weight of the divergence.

    Raises:
        ConfigError: the weight is negative.
    """  # noqa: D205

    def __init__(self, space: Space, spec: TaskSpec | None = None, kl_weight: float = 1e-3) -> None:
        if not kl_weight >= 0:
            raise ConfigError(f"drnas: expected kl_weight >= 0, got {kl_weight}.")
        super().__init__(space, spec)
        self.kl_weight = kl_weight

    def concentrations(self) -> Tensor:
        """The parameters of the distributions, ``(d, L)``; 0 where a label is not allowed."""
        return (nn.functional.elu(self.alpha) + 1).clamp_min(1e-6) * self.mask

    def route(self) -> Route:
        """A sample of every slot's distribution."""
        return list(torch.unbind(self.sample()))

    def sample(self) -> Tensor:
        """Weights ``(d, L)`` drawn from the distributions; gradients reach their parameters."""
        beta = self.concentrations()
        least = torch.finfo(beta.dtype).tiny
        gamma: Tensor = torch.distributions.Gamma(beta.masked_fill(~self.mask, 1.0), 1.0).rsample()
        gamma = gamma.clamp_min(least) * self.mask
        return gamma / gamma.sum(-1, keepdim=True)

    def probabilities(self) -> Tensor:
        """Means of the distributions."""
        beta = self.concentrations()
        return beta / beta.sum(-1, keepdim=True)

    def penalty(self) -> Tensor:
        """The weighted divergence from the uniform distribution over weights, summed over slots."""
        return self.kl_weight * dirichlet_kl(self.concentrations(), self.mask).sum()


def dirichlet_kl(beta: Tensor, mask: Tensor) -> Tensor:
    r"""Divergence of :math:`\mathrm{Dir}(\beta)` from :math:`\mathrm{Dir}(1)` over the K allowed labels, ``(d,)``.

    .. math::
        \ln\Gamma(S) - \sum_k \ln\Gamma(\beta_k) - \ln\Gamma(K) + \sum_k (\beta_k - 1)(\psi(\beta_k) - \psi(S)),
        \quad S = \sum_k \beta_k
    """
    total, ones = beta.sum(-1), beta.masked_fill(~mask, 1.0)
    terms = (ones - 1) * (torch.digamma(ones) - torch.digamma(total)[:, None]) - torch.lgamma(ones)
    return torch.lgamma(total) - torch.lgamma(mask.sum(-1).to(beta)) + terms.sum(-1)
