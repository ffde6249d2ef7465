"""The weights' half of a step: losses along routes, one update."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from gennas.training.step import Run

__all__ = ["update_weights"]


def update_weights(run: Run, losses: Iterable[Callable[[], Tensor]], scale: float = 1.0) -> Tensor:
    """Add up the gradients of losses, one after the other, and make one step of optimiser and schedule.

    A loss is computed when the one before it was propagated back, so that one graph at a time is alive. Weights that no
    loss uses are left alone: they have no gradient, and so no weight decay and no momentum.

    Args:
        run: the training.
        losses: make the losses.
        scale: factor of the gradients.

    Returns:
        The mean of the losses, detached.
    """
    run.optimizer.zero_grad(set_to_none=True)
    found = []
    for make in losses:
        loss = make()
        torch.autograd.backward(loss * scale)
        found.append(loss.detach())
    if run.config.grad_clip is not None:
        nn.utils.clip_grad_norm_(run.parameters, run.config.grad_clip)
    run.optimizer.step()
    run.schedule.step()
    return torch.stack(found).mean()
