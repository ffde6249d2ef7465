"""Categorical diffusion over the decisions of an architecture: corruption, exact posteriors, bound."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from gennas.errors import ConfigError

__all__ = ["CategoricalScheduler", "draw"]

_TINY = 1e-20


def draw(p: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw one state per row from non-negative weights ``(..., S)``, not necessarily normalised."""
    cumulative = p.cumsum(-1)
    u = torch.rand(p.shape[:-1], generator=generator, device=p.device, dtype=p.dtype)
    # Strictly below the total, so that a trailing state of weight zero is never drawn.
    threshold = (u * cumulative[..., -1]).minimum(cumulative[..., -1] * (1 - torch.finfo(p.dtype).eps))
    return (cumulative <= threshold.unsqueeze(-1)).sum(-1)


class CategoricalScheduler(SchedulerMixin, ConfigMixin):  # type: ignore[misc]
    r"""Discrete diffusion that keeps a label or replaces it by a draw from a stationary distribution.

    With labels ``0 … L-1`` and one absorbing state ``L`` (so ``S = L + 1`` states), one step is

    .. math:: Q_t = \alpha_t I + (1 - \alpha_t)\, \mathbf{1} \pi^\top, \qquad
              q(x_t \mid x_0) = \bar\alpha_t\, \delta_{x_0} + (1 - \bar\alpha_t)\, \pi

    which is the absorbing kernel if :math:`\pi` is the absorbing state, the uniform kernel if it is
    uniform over a slot's allowed labels, and DiGress's marginal kernel if it is the data's marginal.
    :math:`\bar\alpha_t = \cos^2(\pi t / 2T)`, so that :math:`\bar\alpha_0 = 1` and :math:`\bar\alpha_T = 0`.

    Sources: Austin et al. 2021 (D3PM, arXiv 2107.03006); Vignac et al. 2022 (DiGress, arXiv 2209.14734).

    Shapes: states ``x`` ``(b, d)`` integers, stationary distribution ``pi`` ``(d, S)``, predicted
    clean distribution ``p0`` ``(b, d, L)``, times ``s``, ``t`` integers or ``(b,)``.

    Args:
        num_train_timesteps: ``T``.
        kernel: ``absorbing`` or ``uniform``.

    Raises:
        ConfigError: an unknown kernel or fewer than one step.

    Example:
        >>> scheduler = CategoricalScheduler(num_train_timesteps=10)
        >>> scheduler.timesteps_for(3)
        [(10, 7), (7, 3), (3, 0)]
    """

    order = 1

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, num_train_timesteps: int = 50, kernel: Literal["absorbing", "uniform"] = "absorbing") -> None:
        if kernel not in ("absorbing", "uniform"):
            raise ConfigError(f"Expected kernel 'absorbing' or 'uniform', got {kernel!r}.")
        if num_train_timesteps < 1:
            raise ConfigError(f"Expected at least one diffusion step, got {num_train_timesteps}.")
        self.num_steps, self.kernel = num_train_timesteps, kernel
        t = torch.arange(num_train_timesteps + 1, dtype=torch.float64)
        self.alpha_bar = torch.cos(math.pi / 2 * t / num_train_timesteps) ** 2
        self.alpha_bar[-1] = 0.0  # exactly, so that x_T carries nothing of x_0
        self.timesteps: list[tuple[int, int]] = []
        self.set_timesteps(num_train_timesteps)

    # ------------------------------------------------------------------ times

    def timesteps_for(self, num_inference_steps: int) -> list[tuple[int, int]]:
        """Pairs ``(t, s)`` of a sampler with that many steps, evenly spaced from ``T`` down to 0."""
        if not 1 <= num_inference_steps <= self.num_steps:
            raise ConfigError(f"Expected between 1 and {self.num_steps} sampling steps, got {num_inference_steps}.")
        times = [round(self.num_steps * (1 - i / num_inference_steps)) for i in range(num_inference_steps + 1)]
        return list(pairwise(times))

    def set_timesteps(self, num_inference_steps: int) -> None:
        """Choose the steps ``timesteps`` of the sampler, as other diffusers schedulers do."""
        self.timesteps = self.timesteps_for(num_inference_steps)

    def _alpha_bar(self, t: int | Tensor, like: Tensor) -> Tensor:
        """``alpha_bar`` at ``t``, shaped to multiply ``(b, d, S)``."""
        value = self.alpha_bar.to(like.device)[t].to(like.dtype)
        return value.reshape(-1, 1, 1)

    # ------------------------------------------------------------------ the noise

    def stationary(self, mask: Tensor, marginals: Tensor | None = None) -> Tensor:
        """``pi`` ``(d, S)`` for slots with allowed labels ``mask (d, L)``.

        Args:
            mask: allowed labels, boolean.
            marginals: optional ``(d, L)`` label frequencies, which make the uniform kernel DiGress's
                marginal kernel; they are mixed with a little of the uniform distribution so that
                every allowed label can be reached.
        """
        d, L = mask.shape
        dtype = torch.float32 if marginals is None else marginals.dtype
        pi = torch.zeros(d, L + 1, dtype=dtype, device=mask.device)
        if self.kernel == "absorbing":
            pi[:, L] = 1.0
            return pi
        uniform = mask.to(dtype) / mask.sum(-1, keepdim=True)
        pi[:, :L] = uniform if marginals is None else 0.95 * marginals * mask + 0.05 * uniform
        return pi / pi.sum(-1, keepdim=True)

    def q_t(self, x0: Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        """``q(x_t | x_0)``, ``(b, d, S)``."""
        a = self._alpha_bar(t, pi)
        return a * _one_hot(x0, pi) + (1 - a) * pi

    def add_noise(self, x0: Tensor, t: int | Tensor, pi: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``x_t ~ q(x_t | x_0)``, ``(b, d)``."""
        keep = torch.rand(x0.shape, generator=generator, device=x0.device) < self._alpha_bar(t, pi)[..., 0]
        return torch.where(keep, x0, self.prior(len(x0), pi, generator))

    def prior(self, n: int, pi: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``x_T`` from the stationary distribution, ``(n, d)``."""
        return draw(pi.expand(n, -1, -1), generator)

    # ------------------------------------------------------------------ the way back

    def clean(self, logits: Tensor, x_t: Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        r"""Predicted clean distribution :math:`p_0(x_0) \propto e^{\ell(x_0)}\, q(x_t \mid x_0)`, ``(b, d, L)``.

        What a slot's own state tells is exact and put in here, so that the network (logits
        ``(b, d, L)``) has only to say what the other slots tell. Under the absorbing kernel a slot
        that is not absorbed keeps its label; a network that knows nothing is right about
        independent uniform decisions under both kernels.
        """
        evidence = self._evidence(x_t, t, pi)[..., :-1]
        return (logits + evidence.clamp_min(_TINY).log()).softmax(-1)

    def evident(self, logits: Tensor, x_t: Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        """The logits of :meth:`clean`, up to a constant per slot, where training needs them.

        Under the absorbing kernel an absorbed slot tells nothing, and the others are not trained on:
        the logits themselves.
        """
        if self.kernel == "absorbing":
            return logits
        return logits + self._evidence(x_t, t, pi)[..., :-1].clamp_min(_TINY).log()

    def _evidence(self, x_t: Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        """``q(x_t | x_0)`` as a function of ``x_0``, ``(b, d, S)``."""
        a = self._alpha_bar(t, pi)
        return a * _one_hot(x_t, pi) + (1 - a) * _at(pi, x_t)

    def posterior(self, x0: Tensor, x_t: Tensor, s: int | Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        r"""Exact :math:`q(x_s \mid x_t, x_0) \propto Q_{t|s}(x_s, x_t)\, \bar Q_s(x_0, x_s)` for ``s < t``."""
        unnormalised = self._likelihood(x_t, s, t, pi) * self.q_t(x0, s, pi)
        return unnormalised / unnormalised.sum(-1, keepdim=True)

    def reverse(self, p0: Tensor, x_t: Tensor, s: int | Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        r""":math:`p(x_s \mid x_t) = \sum_{x_0} q(x_s \mid x_t, x_0)\, p_0(x_0)` in ``O(S)`` per slot, ``(b, d, S)``.

        Clean labels that ``x_t`` rules out (under the absorbing kernel all but ``x_t`` itself, once
        a slot is unmasked) are given no weight.
        """
        a_s, evidence = self._alpha_bar(s, pi), self._evidence(x_t, t, pi)
        p0 = torch.nn.functional.pad(p0 + _TINY * _one_hot(x_t, pi)[..., :-1], (0, 1))
        p0 = torch.where(evidence > 0, p0, 0)
        ratio = p0 / p0.sum(-1, keepdim=True) / torch.where(evidence > 0, evidence, 1)
        p = self._likelihood(x_t, s, t, pi) * (a_s * ratio + (1 - a_s) * pi * ratio.sum(-1, keepdim=True))
        return p / p.sum(-1, keepdim=True)

    def _likelihood(self, x_t: Tensor, s: int | Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        """``q(x_t | x_s)`` as a function of ``x_s``, ``(b, d, S)``."""
        step = self._alpha_bar(t, pi) / self._alpha_bar(s, pi)
        return step * _one_hot(x_t, pi) + (1 - step) * _at(pi, x_t)

    def step(
        self, p0: Tensor, x_t: Tensor, s: int, t: int, pi: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw ``x_s ~ p(x_s | x_t)`` given the predicted clean distribution, ``(b, d)``."""
        return draw(self.reverse(p0, x_t, s, t, pi), generator)

    def bound_term(self, p0: Tensor, x0: Tensor, x_t: Tensor, s: int | Tensor, t: int | Tensor, pi: Tensor) -> Tensor:
        r"""One term of the bound on :math:`-\log p(x_0)`, in nats, ``(b,)``.

        :math:`\sum_{slots} KL(q(x_s \mid x_t, x_0) \,\|\, p(x_s \mid x_t))`, which at ``s = 0`` is
        :math:`-\log p(x_0 \mid x_t)`. Summed over a sampler's steps, each at a draw of ``x_t``, it
        estimates the bound without bias; the prior term is zero because ``alpha_bar_T = 0``.
        """
        q = self.posterior(x0, x_t, s, t, pi)
        p = self.reverse(p0, x_t, s, t, pi)
        terms = torch.where(q > 0, q * (q.clamp_min(_TINY).log() - p.clamp_min(_TINY).log()), 0)
        return terms.sum((-1, -2))


def _one_hot(x: Tensor, pi: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(x, pi.shape[-1]).to(pi.dtype)


def _at(pi: Tensor, x: Tensor) -> Tensor:
    """``pi`` of each slot's present state, ``(b, d, 1)``."""
    return pi.expand(len(x), -1, -1).gather(-1, x.unsqueeze(-1))
