"""One slot of three candidates in float64, and small trainings of the toy supernet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from gennas.testing.supernets import ToySpace, ToySupernet, mix
from gennas.training import Task, TrainConfig
from gennas.training.supernet.methods.base import Entry


@dataclass
class Slot:
    """Candidates, an input, and a loss of what the slot gives."""

    x: Tensor
    candidates: list[Callable[[Tensor], Tensor]]
    target: Tensor

    def outputs(self) -> Tensor:
        """What every candidate gives, ``(3, b, c)``."""
        return torch.stack([f(self.x) for f in self.candidates])

    def loss(self, y: Tensor) -> Tensor:
        return (torch.sin(y) * self.target + y**2).sum()

    def upstream(self, y: Tensor) -> Tensor:
        """G, the gradient of the loss with respect to y."""
        y = y.detach().requires_grad_()
        return torch.autograd.grad(self.loss(y), y)[0]

    def gradient(self, entry_of: Callable[[], Entry], of: Tensor) -> Tensor:
        """By autograd, through the slot."""
        return torch.autograd.grad(self.loss(mix(self.x, self.candidates, entry_of())), of)[0]


@pytest.fixture
def slot() -> Slot:
    torch.manual_seed(3)
    linear, inner = nn.Linear(4, 4).double(), nn.Linear(4, 4).double()
    x, target = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    return Slot(x, [linear, lambda z: torch.tanh(inner(z)), lambda z: z], target)


@pytest.fixture
def one_slot() -> ToySpace:
    return ToySpace(slots=1)


@pytest.fixture
def task() -> Task:
    """Images of 1 x 2 x 2 in three classes that a linear map cannot tell apart."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(240, 1, 2, 2, generator=generator)
    y = (x.flatten(1)[:, 0] * x.flatten(1)[:, 1] > 0).long() + (x.flatten(1)[:, 2] > 1).long()
    config = TrainConfig(epochs=3, batch_size=40, device="cpu", warmup=0.0, lr=0.01)
    train, validation, test = ((x[part], y[part]) for part in (slice(120), slice(120, 180), slice(180, None)))
    return Task.from_tensors("toy", train=train, validation=validation, test=test, config=config)


@pytest.fixture
def toy() -> ToySupernet:
    torch.manual_seed(0)
    return ToySupernet(ToySpace(slots=2))
