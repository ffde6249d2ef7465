"""The second-order gradient of DARTS: through one step of the weights, by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["sgd_direction", "unrolled_gradients"]

Closure = Callable[[], Tensor]
Direction = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def unrolled_gradients(
    alphas: Sequence[Tensor],
    weights: Sequence[Tensor],
    train_loss: Closure,
    val_loss: Closure,
    rate: float,
    radius: float = 0.01,
    direction: Direction | None = None,
) -> list[Tensor]:
    r"""Gradients of :math:`L_{val}(w - \xi \nabla_w L_{train}(w, \alpha), \alpha)` with respect to ``alphas``.

    .. math::
        \nabla_\alpha L_{val}(w', \alpha) - \xi\,
        \frac{\nabla_\alpha L_{train}(w^+, \alpha) - \nabla_\alpha L_{train}(w^-, \alpha)}{2\epsilon}, \qquad
        w^\pm = w \pm \epsilon v, \quad v = \nabla_{w'} L_{val}(w', \alpha), \quad \epsilon = r / \lVert v \rVert_2 .

    The error falls with :math:`r^2` until round-off. The weights are changed and put back, exactly. Source: Liu,
    Simonyan and Yang 2019, arXiv 1806.09055, equations 6 to 8.

    Args:
        alphas: what the gradients are wanted for.
        weights: the shared weights ``w``; those that a loss does not use count as not moving.
        train_loss: the training loss at the present weights, the same function at each of three calls.
        val_loss: the validation loss at the present weights.
        rate: the step :math:`\xi`.
        radius: ``r``.
        direction: what the optimiser makes of the gradients, by default the gradients themselves
            (:func:`sgd_direction` adds momentum and weight decay).
    """
    weights = list(weights)
    saved = [w.detach().clone() for w in weights]

    def put(step: float, along: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for w, start, v in zip(weights, saved, along, strict=True):
                w.copy_(start + step * v)

    try:
        # 1. one step of the weights
        moved = _gradients(train_loss(), weights)
        put(-rate, direction(moved) if direction else moved)
        # 2. the validation loss after it
        found = _gradients(val_loss(), [*alphas, *weights])
        first, v = found[: len(alphas)], found[len(alphas) :]
        # 3. the mixed second derivative along v
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(x) for x in v])))
        if norm == 0.0:
            return first
        epsilon = radius / norm
        put(epsilon, v)
        above = _gradients(train_loss(), alphas)
        put(-epsilon, v)
        below = _gradients(train_loss(), alphas)
    finally:
        with torch.no_grad():
            for w, start in zip(weights, saved, strict=True):
                w.copy_(start)
    return [g - rate * (a - b) / (2 * epsilon) for g, a, b in zip(first, above, below, strict=True)]


def sgd_direction(optimizer: torch.optim.Optimizer, weights: Sequence[Tensor]) -> Direction:
    """What stochastic gradient descent with momentum and weight decay makes of gradients, without changing its state.

    For other optimisers, whose step is not linear in the gradient, the gradient with weight decay.
    """
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}

    def direction(gradients: Sequence[Tensor]) -> list[Tensor]:
        found = []
        for w, g in zip(weights, gradients, strict=True):
            group = group_of[id(w)]
            g = g + group.get("weight_decay", 0.0) * w.detach()
            momentum = optimizer.state.get(w, {}).get("momentum_buffer")
            found.append(g if momentum is None else g + group["momentum"] * momentum)
        return found

    return direction


def _gradients(loss: Tensor, of: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(of), allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(of, found, strict=True)]
