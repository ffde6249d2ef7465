"""The sampler as a policy: denoising steps, and the exact log-probability of each of them.

Source: Black et al. 2023, "Training Diffusion Models with Reinforcement Learning" (DDPO), arXiv
2305.13301, who see denoising as a Markov decision process: the state is :math:`(x_t, t)`, the action
:math:`x_s`, and the reward comes at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.graph import Population
from gennas.models.base import Legality
from gennas.models.diffusion.base import Denoiser
from gennas.models.diffusion.decoding import LEAST, REPAIR
from gennas.models.diffusion.pipeline import ArchitectureDiffusionPipeline
from gennas.models.diffusion.scheduler import CategoricalScheduler
from gennas.models.schema import check_schema
from gennas.models.tensors import decision_tensor

__all__ = [
    "Transitions",
    "chain_transitions",
    "renoised_transitions",
    "sample_chain",
    "step_divergence",
    "step_log_probs",
]

_TINY = 1e-20


@dataclass(frozen=True)
class Transitions:
    """Denoising steps, one per row, grouped by step: first all of the noisiest, last all of the cleanest.

    Shapes: states ``x_t``, ``x_s`` ``(m, d)``, ``L`` being the absorbing one; times ``t``, ``s``
    ``(m,)``; ``legal (m, d, L)``: what each decision could be in the last step (``s = 0``) after
    those before it, True elsewhere; ``index (m,)``: the architecture that the step belongs to.
    """

    x_t: Tensor
    x_s: Tensor
    t: Tensor
    s: Tensor
    legal: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.x_t)

    def __getitem__(self, rows: Tensor | slice) -> Transitions:
        return Transitions(*(part[rows] for part in self._parts()))

    def to(self, device: torch.device) -> Transitions:
        """The same on a device."""
        return Transitions(*(part.to(device) for part in self._parts()))

    def _parts(self) -> Sequence[Tensor]:
        return self.x_t, self.x_s, self.t, self.s, self.legal, self.index


def sample_chain(
    pipeline: ArchitectureDiffusionPipeline,
    n: int,
    num_steps: int = 8,
    generator: torch.Generator | None = None,
    legal: Legality | None = None,
) -> tuple[Population, NDArray[np.int16]]:
    """Draw ``n`` architectures without conditions, and the states ``(num_steps + 1, n, d)`` that led to them."""
    states: list[Tensor] = []
    drawn = pipeline(n, num_steps=num_steps, generator=generator, legal=legal, on_step=lambda x, t: states.append(x))
    return drawn, np.concatenate([torch.stack(states).cpu().numpy(), drawn.decisions[None]]).astype(np.int16)


def chain_transitions(
    pipeline: ArchitectureDiffusionPipeline,
    chain: NDArray[np.integer],
    num_steps: int = 8,
    legal: Legality | None = None,
) -> Transitions:
    """The denoising steps of chains of states ``(num_steps + 1, n, d)``, from noise to architectures."""
    schema, n, D = pipeline.schema, chain.shape[1], chain[-1].astype(np.int16)
    t, s = torch.tensor(pipeline.scheduler.timesteps_for(num_steps)).repeat_interleave(n, 0).T
    allowed = np.ones((len(t), *schema.decision_mask.shape), dtype=bool)
    for i in range(schema.num_decisions):
        allowed[len(t) - n :, i] = schema.decision_mask[i] if legal is None else legal(D, i)
    x = torch.from_numpy(chain.astype(np.int64))
    index = torch.arange(n).repeat(num_steps)
    steps = Transitions(x[:-1].flatten(0, 1), x[1:].flatten(0, 1), t, s, torch.from_numpy(allowed), index)
    return steps.to(pipeline.denoiser.device)


def renoised_transitions(
    pipeline: ArchitectureDiffusionPipeline,
    archs: Population,
    num_steps: int = 8,
    generator: torch.Generator | None = None,
    legal: Legality | None = None,
) -> Transitions:
    r"""Steps that could have made known architectures: a draw of the forward process, read backwards.

    From :math:`x_0` through :math:`x_t \sim q(x_t \mid x_s)` at the sampler's times up to noise. Where
    legality narrows nothing, the sum of the log-probabilities of an architecture's steps is, up to a
    constant, an unbiased estimate of its evidence lower bound.
    """
    check_schema(pipeline.schema, archs.schema)
    scheduler, times = pipeline.scheduler, pipeline.scheduler.timesteps_for(num_steps)
    pi = scheduler.stationary(pipeline.denoiser.mask)
    x = decision_tensor(archs, pipeline.denoiser.device)
    chain = [x]
    for t, s in reversed(times):
        stays = float(scheduler.alpha_bar[t] / scheduler.alpha_bar[s])
        keep = torch.rand(x.shape, generator=generator, device=x.device) < stays
        x = torch.where(keep, x, scheduler.prior(len(x), pi, generator))
        chain.insert(0, x)
    return chain_transitions(pipeline, torch.stack(chain).cpu().numpy(), num_steps, legal)


def step_log_probs(denoiser: Denoiser, scheduler: CategoricalScheduler, steps: Transitions) -> tuple[Tensor, Tensor]:
    r"""Exact log-probability of each step under the unconditional sampler, in nats, ``(m,)``; differentiable.

    Before the last step the slots are independent given ``x_t``, each drawn from the scheduler's
    ``reverse``. In the last one they are decoded in order among what is legal:

    .. math:: \log p_\theta(x_0 \mid x_t) =
              \sum_i \log \frac{p_i(x_{0,i})}{\sum_{l \in \mathrm{legal}(x_{0,<i})} p_i(l)}

    Returns:
        These, and the log-probabilities of every state of every slot before legality, ``(m, d, L + 1)``.
    """
    pi = scheduler.stationary(denoiser.mask).double()
    logits = denoiser(steps.x_t, steps.t / scheduler.num_steps).double()
    p0 = scheduler.clean(logits, steps.x_t, steps.t, pi)
    every = scheduler.reverse(p0, steps.x_t, steps.s, steps.t, pi).clamp_min(_TINY).log()
    weights = (p0 + REPAIR * logits.softmax(-1) + LEAST) * steps.legal
    decoded = (weights.clamp_min(_TINY) / weights.sum(-1, keepdim=True)).log()
    last = (steps.s == 0).reshape(-1, 1, 1)
    chosen = torch.where(last, torch.nn.functional.pad(decoded, (0, 1)), every)
    return chosen.gather(-1, steps.x_s.unsqueeze(-1)).sum((-1, -2)), every


def step_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    r""":math:`KL(p(x_s \mid x_t) \,\|\, q(x_s \mid x_t))` of each step before legality, from :func:`step_log_probs`.

    ``log_p``, ``log_q``: ``(m, d, S)``; the result ``(m,)`` is summed over the slots.
    """
    return (log_p.exp() * (log_p - log_q)).sum((-1, -2))
