"""Fine-tuning a diffusion model on rewards: a clipped policy gradient on its denoising steps."""

from __future__ import annotations

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.generators.fitting import descend, uniform_rows
from gennas.models.base import FloatArray
from gennas.models.diffusion import CategoricalScheduler, Denoiser
from gennas.models.diffusion.policy import Transitions, step_divergence, step_log_probs

__all__ = ["clipped_objective", "fit_policy"]


def clipped_objective(log_ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    r"""What every step contributes, ``(m,)``: :math:`\min(r A, \mathrm{clip}(r, 1 - \epsilon, 1 + \epsilon) A)`.

    :math:`r = p_\theta(x_s \mid x_t) / p_{old}(x_s \mid x_t)` corrects for steps that were drawn from
    an older policy; the clip takes away the gain of moving further than :math:`\epsilon` from it
    (Schulman et al. 2017, PPO, arXiv 1707.06347).

    Example:
        >>> clipped_objective(torch.log(torch.tensor([1.5, 1.5, 0.5])), torch.tensor([1.0, -1.0, -1.0]), 0.2)
        tensor([ 1.2000, -1.5000, -0.8000])
    """
    ratio = log_ratio.exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def fit_policy(
    denoiser: Denoiser,
    reference: Denoiser,
    scheduler: CategoricalScheduler,
    steps: Transitions,
    advantages: FloatArray,
    num_updates: int = 20,
    batch_size: int = 64,
    lr: float = 3e-3,
    clip: float = 0.2,
    anchor: float = 0.02,
    seed: int = 0,
) -> FloatArray:
    r"""Raise the probability of steps towards good architectures, in place; returns the objective of every update.

    .. math:: J(\theta) = E\Big[ \min\big(r A, \mathrm{clip}(r, 1 \pm \epsilon) A\big)
              - \beta\, KL\big(p_{ref}(\cdot \mid x_t) \,\|\, p_\theta(\cdot \mid x_t)\big) \Big]

    over ``steps``, drawn with replacement (Black et al. 2023, DDPO, arXiv 2305.13301, with the anchor
    of Fan et al. 2023, DPOK, arXiv 2305.16381). The divergence is that which covers what the reference
    covers. :math:`p_{old}` is the denoiser as it comes in, and the ratios of later updates count from
    there.

    Args:
        denoiser: the policy.
        reference: what it is held close to, usually the pre-trained model; it stays as it is.
        scheduler: the kernel and its times.
        steps: ``m`` denoising steps.
        advantages: of each step's architecture, ``(m,)``.
        num_updates: optimiser steps.
        batch_size: denoising steps per optimiser step.
        lr: learning rate, warmed up and lowered as a cosine.
        clip: :math:`\epsilon`.
        anchor: :math:`\beta`.
        seed: fixes the draws.

    Raises:
        ConfigError: no steps, or not one advantage for each.
    """
    if not len(steps) or advantages.shape != (len(steps),):
        raise ConfigError(f"Expected one advantage for each of one or more steps: {advantages.shape}, {len(steps)}.")
    A = torch.from_numpy(advantages).to(steps.x_t.device)
    with torch.no_grad():
        old = step_log_probs(denoiser, scheduler, steps)[0]
        known = step_log_probs(reference, scheduler, steps)[1]
    generator = torch.Generator().manual_seed(seed)

    def loss(rows: Tensor) -> Tensor:
        rows = rows.to(A.device)
        log_p, every = step_log_probs(denoiser, scheduler, steps[rows])
        gain = clipped_objective(log_p - old[rows], A[rows], clip)
        return -(gain - anchor * step_divergence(known[rows], every)).mean()

    rows = uniform_rows(len(steps), batch_size, generator)
    return -descend(denoiser, rows, loss, num_updates, lr, weight_decay=0.0)
