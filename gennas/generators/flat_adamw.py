"""AdamW over one vector that holds all parameters: a step is ten operations, however many parameters there are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["FlatAdamW"]


class FlatAdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with clipped gradients.

    While it works, the parameters are views of one vector; :meth:`release` makes them independent
    again. For small networks on a CPU, where the cost per tensor dominates.

    Args:
        parameters: what is optimised.
        lr: learning rate.
        weight_decay: decoupled decay.
        betas: decay of the running mean and square of the gradient.
        max_norm: longest gradient, all parameters together; None: as long as it is.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.99),
        max_norm: float | None = 1.0,
    ) -> None:
        self.parameters, self.lr, self.weight_decay = list(parameters), lr, weight_decay
        self.betas, self.max_norm = betas, max_norm
        self.values = torch.cat([p.detach().flatten() for p in self.parameters])
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = 0
        for parameter, part in zip(self.parameters, self._parts(), strict=True):
            parameter.data = part

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Descend along the present gradients with ``factor`` times the learning rate, and clear them."""
        self.steps += 1
        beta1, beta2 = self.betas
        gradient = torch.cat([_gradient(p) for p in self.parameters])
        if self.max_norm is not None:
            gradient *= (self.max_norm / (gradient.norm() + 1e-6)).clamp(max=1)
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = (self.square / (1 - beta2**self.steps)).sqrt_().add_(1e-8)
        lr = self.lr * factor
        self.values.mul_(1 - lr * self.weight_decay).addcdiv_(self.mean, scale, value=-lr / (1 - beta1**self.steps))
        for parameter in self.parameters:
            parameter.grad = None

    def release(self) -> None:
        """Give every parameter memory of its own again."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()

    def _parts(self) -> list[Tensor]:
        parts = torch.split(self.values, [p.numel() for p in self.parameters])
        return [part.view_as(p) for part, p in zip(parts, self.parameters, strict=True)]


def _gradient(parameter: nn.Parameter) -> Tensor:
    gradient = parameter.grad
    return torch.zeros_like(parameter).flatten() if gradient is None else gradient.flatten()
