r"""Sampling under the absorbing kernel by a network that does not see the time: only what a step reveals is drawn.

A step of the reverse process from ``t`` to ``s`` keeps every slot that shows a label, and reveals each of the
others with probability :math:`(\bar\alpha_s - \bar\alpha_t) / (1 - \bar\alpha_t)`, as a draw from the clean
distribution (Sahoo et al. 2024, MDLM, arXiv 2406.07524). So over all steps a slot is drawn once, in the numbering
of :class:`gennas.models.diffusion.dense_denoiser.DenseDenoiser`. The distribution is that of
:meth:`gennas.models.diffusion.scheduler.CategoricalScheduler.step`; the random numbers are others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from gennas.models.diffusion.decoding import REPAIR
from gennas.models.diffusion.dense_denoiser import DenseDenoiser
from gennas.models.diffusion.scheduler import CategoricalScheduler, draw

__all__ = ["masked_bound", "reveal", "revealed_share", "shown", "unmask"]

Predictor = Callable[[Tensor, int, Tensor], Tensor]
"""Logits ``(b, d, K)`` of partly masked architectures ``(b, d)`` at a time; the last argument says which rows."""


def revealed_share(scheduler: CategoricalScheduler, t: int, s: int) -> float:
    """Probability that a slot which is absorbed at ``t`` shows its label at ``s``."""
    a_t, a_s = float(scheduler.alpha_bar[t]), float(scheduler.alpha_bar[s])
    return (a_s - a_t) / (1 - a_t)


def reveal(
    x: Tensor, logits: Tensor, chosen: Tensor, denoiser: DenseDenoiser, generator: torch.Generator | None = None
) -> Tensor:
    """``x (b, d)`` with the slots ``chosen (b, d)`` drawn from ``logits (b, d, K)``."""
    rows, slots = chosen.nonzero(as_tuple=True)
    columns = draw(logits[rows, slots].softmax(-1), generator)
    return x.index_put((rows, slots), denoiser.labels[slots, columns])


def unmask(
    denoiser: DenseDenoiser,
    scheduler: CategoricalScheduler,
    predictor: Predictor,
    x: Tensor,
    begin: Tensor,
    known: Tensor,
    num_steps: int,
    generator: torch.Generator | None = None,
    on_step: Callable[[Tensor, int], None] | None = None,
) -> Tensor:
    """Weights ``(n, d, K)`` from which the last step decodes architectures.

    Args:
        denoiser: for its numbering of labels.
        scheduler: of the absorbing kernel.
        predictor: guided logits of rows.
        x: states to begin with, ``(n, d)``.
        begin: times that they belong to, ``(n,)``.
        known: fixed decisions, -1 where free.
        num_steps: from noise to an architecture.
        generator: source of randomness.
        on_step: called with ``x_t`` and ``t`` before each step.
    """
    absorbing = denoiser.schema.num_symbols
    x = torch.where(known >= 0, known, x)
    # A row that no step predicts (begun at time 0) is as sure as can be of what it is.
    logits = _SURE * shown(x, denoiser) + denoiser.absent
    stale = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for t, s in scheduler.timesteps_for(num_steps):
        if on_step is not None:
            on_step(x, t)
        begun, absorbed = begin >= t, x == absorbing
        todo = (stale & begun).nonzero()[:, 0]
        if len(todo):
            logits[todo] = predictor(x[todo], t, todo)
        if s > 0:
            u = torch.rand(x.shape, generator=generator, device=x.device)
            chosen = absorbed & begun[:, None] & (u < revealed_share(scheduler, t, s))
            x = reveal(x, logits, chosen, denoiser, generator)
            stale = (chosen.any(1) & (absorbed & ~chosen).any(1)) | ~begun
    # A label that turns out illegal gives way to what the other slots speak for.
    p = logits.softmax(-1)
    return cast(Tensor, torch.where((x == absorbing)[..., None], p, shown(x, denoiser)) + REPAIR * p)


def shown(x: Tensor, denoiser: DenseDenoiser) -> Tensor:
    """1 in the column of the label that a slot shows, ``(n, d, K)``; nothing of an absorbed one."""
    found = torch.nn.functional.one_hot(denoiser.columns(x), denoiser.labels.shape[1]).float()
    return found.masked_fill((x == denoiser.schema.num_symbols)[..., None], 0)


def masked_bound(logits: Tensor, x0: Tensor, x_t: Tensor, share: float, denoiser: DenseDenoiser) -> Tensor:
    r"""One term of the bound on :math:`-\log p(x_0)`, in nats, ``(b,)``: the revealed share times the cross-entropy.

    Of absorbed slots both :math:`q(x_s \mid x_t, x_0)` and :math:`p(x_s \mid x_t)` reveal the same ``share``, and
    the divergence is what is left (Sahoo et al. 2024, arXiv 2406.07524): :math:`-share \sum_i \log p_i(x_{0,i})`.
    """
    error = -logits.double().log_softmax(-1).gather(-1, denoiser.columns(x0)[..., None])[..., 0]
    error = torch.where(x_t == denoiser.schema.num_symbols, error, 0)
    return share * error.sum(1)


_SURE = 30.0
