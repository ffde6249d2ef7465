"""The largest eigenvalue of the Hessian of a loss with respect to the architecture parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Curvature", "largest_curvature"]


@dataclass(frozen=True)
class Curvature:
    r"""An eigenvalue with its sign, the iterations it took, and how much of ``H v`` it leaves unexplained.

    Args:
        value: the eigenvalue of the largest absolute value.
        iterations: Hessian-vector products that were computed.
        residual: :math:`\lVert Hv - \lambda v \rVert / |\lambda|`: small where the iteration has converged.
    """

    value: float
    iterations: int
    residual: float = float("nan")


def largest_curvature(
    loss: Callable[[], Tensor], parameters: Sequence[Tensor], iterations: int = 20, tolerance: float = 1e-6
) -> Curvature:
    r"""Power iteration on Hessian-vector products: the eigenvalue of the largest absolute value, with its sign.

    One graph of the loss and of its gradient is made; every iteration is one backward pass through them,
    :math:`Hv = \nabla (\nabla L \cdot v)`. The eigenvalue is the Rayleigh quotient :math:`v^T H v`. Where the two
    largest are of nearly the same absolute value the iteration is slow, which the residual shows. Its growth announces
    the collapse of DARTS: Zela et al., "Understanding and Robustifying Differentiable Architecture Search", ICLR 2020,
    arXiv 1909.09656.

    Args:
        loss: of a batch, the same at every call.
        parameters: the Hessian is with respect to these.
        iterations: most Hessian-vector products.
        tolerance: residual at which to stop.
    """
    gradients = torch.autograd.grad(loss(), list(parameters), create_graph=True, allow_unused=True)
    used = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None and g.requires_grad]
    if not used:
        return Curvature(0.0, 1, 0.0)
    gradient = torch.cat([g.reshape(-1) for _, g in used])
    generator = torch.Generator().manual_seed(0)  # the training's random numbers stay what they are
    v = torch.randn(len(gradient), generator=generator, dtype=torch.float64).to(gradient)
    v = v / v.norm()
    value, residual, done = 0.0, float("inf"), 0
    while done < iterations and residual > tolerance:
        products = torch.autograd.grad(
            gradient @ v, [p for p, _ in used], retain_graph=True, allow_unused=True, materialize_grads=True
        )
        Hv = torch.cat([h.reshape(-1) for h in products])
        done += 1
        value, norm = float(v @ Hv), float(Hv.norm())
        residual = float((Hv - value * v).norm()) / max(abs(value), 1e-30)
        if norm == 0.0:
            return Curvature(0.0, done, 0.0)
        v = Hv / norm
    return Curvature(value, done, residual)
