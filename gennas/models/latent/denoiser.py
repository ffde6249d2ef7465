"""The networks over latent vectors: a denoiser, and a predictor that tells it where the good ones are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gennas.models.weights import blocks, copy_weights

__all__ = ["LatentDenoiser", "LatentPredictor"]

_FREQUENCIES = 6


class LatentDenoiser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    r"""Predicts the velocity :math:`v = \alpha_t \epsilon - \sigma_t z_0` of noisy latents (Salimans and Ho 2022).

    Residual feed-forward blocks, modulated by time and conditions through adaptive layer norms. The
    output layer starts at zero. Source of the parametrisation: arXiv 2202.00512.

    Shapes: latents ``(b, Z)``; ``time (b,)`` in [0, 1]; ``conditions (b, c)``, NaN where unknown or
    dropped; output ``(b, Z)``.

    Args:
        latent_dim: ``Z``.
        num_conditions: ``c``.
        dim: width.
        num_layers: number of blocks.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, latent_dim: int, num_conditions: int = 0, dim: int = 128, num_layers: int = 3) -> None:
        super().__init__()
        self.num_conditions = num_conditions
        self.read = nn.Linear(latent_dim, dim)
        self.time = _embedding(dim)
        self.conditions = nn.ModuleList(_embedding(dim) for _ in range(num_conditions))
        self.null = nn.Parameter(torch.zeros(num_conditions, dim))
        self.blocks = nn.ModuleList(_Block(dim) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, latent_dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def adopt(self, other: LatentDenoiser, kept: Sequence[int | None]) -> None:
        """Take the weights of a model of other conditions; condition ``i`` was its ``kept[i]``, None: it is new.

        A condition that is new changes nothing as long as it is unknown; one that goes counts as unknown.

        Raises:
            CheckpointError: the models differ in more than their conditions.
        """
        copy_weights(self, other, {"null": (0, blocks(kept))}, leave=("conditions.",))
        for embed, j in zip(self.conditions, kept, strict=True):
            if j is not None:
                copy_weights(embed, other.conditions[j])
        gone = [j for j in range(other.num_conditions) if j not in kept]
        with torch.no_grad():
            cast(nn.Linear, self.time[-1]).bias.add_(other.null[gone].sum(0))

    def forward(self, z: Tensor, time: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Velocities, ``(b, Z)``."""
        context = self.time(_waves(time))
        if conditions is None:
            conditions = torch.full((len(z), self.num_conditions), math.nan, device=z.device)
        for i, embed in enumerate(self.conditions):
            value = conditions[:, i]
            known = embed(_waves(value.nan_to_num()))
            context = context + torch.where(value.isnan()[:, None], self.null[i], known)
        h = self.read(z)
        for block in self.blocks:
            h = block(h, context)
        return cast(Tensor, self.head(self.norm(h)))


class LatentPredictor(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Estimates an architecture's conditions, such as the quantile of its accuracy, from its noisy latent.

    It is trained at every noise level, as the classifier of Dhariwal and Nichol (2021,
    arXiv 2105.05233), and differentiable, so that its gradient can guide the denoiser.

    Shapes: latents ``(b, Z)``, ``time (b,)`` in [0, 1], output ``(b, c)``.

    Args:
        latent_dim: ``Z``.
        num_conditions: ``c``.
        dim: width.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, latent_dim: int, num_conditions: int = 0, dim: int = 64) -> None:
        super().__init__()
        self.read = nn.Linear(latent_dim, dim)
        self.time = _embedding(dim)
        self.head = nn.Sequential(nn.SiLU(), nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, max(1, num_conditions)))
        self.num_conditions = num_conditions

    def adopt(self, other: LatentPredictor, kept: Sequence[int | None]) -> None:
        """Take the weights of a predictor of other conditions, as :meth:`LatentDenoiser.adopt`.

        Raises:
            CheckpointError: the networks differ in more than their conditions.
        """
        rows = blocks(kept) if kept else np.array([-1])
        copy_weights(self, other, {"head.3.weight": (0, rows), "head.3.bias": (0, rows)})

    def forward(self, z: Tensor, time: Tensor) -> Tensor:
        """Expected conditions, ``(b, c)``."""
        values = self.head(self.read(z) + self.time(_waves(time)))
        return cast(Tensor, values[:, : self.num_conditions])

    def log_likelihood_gradient(self, z: Tensor, time: Tensor, conditions: Tensor, tau: float = 0.2) -> Tensor:
        r"""Gradient by ``z`` of :math:`\log p(c \mid z) = -\sum_i (f_i(z) - c_i)^2 / 2 \tau^2`, ``(b, Z)``.

        Conditions that are NaN are left out.
        """
        with torch.inference_mode(False), torch.enable_grad():
            at = z.clone().requires_grad_()
            error = (self(at, time.clone()) - conditions.clone().nan_to_num()) * ~conditions.isnan()
            (gradient,) = torch.autograd.grad(-(error**2).sum() / (2 * tau**2), at)
        return gradient


class _Block(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 2 * dim))
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        shift, scale = self.modulation(context).chunk(2, -1)
        return cast(Tensor, h + self.mlp(self.norm(h) * (1 + scale) + shift))


def _embedding(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2 * _FREQUENCIES, dim), nn.SiLU(), nn.Linear(dim, dim))


def _waves(value: Tensor) -> Tensor:
    """Sines and cosines of up to one and a half turns of a value in [0, 1], ``(b, 12)``."""
    angles = value.float().unsqueeze(-1) * (math.pi / 2 * torch.arange(1, _FREQUENCIES + 1, device=value.device))
    return torch.cat([angles.sin(), angles.cos()], -1)
