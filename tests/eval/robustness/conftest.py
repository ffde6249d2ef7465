"""One trained digits network for all tests of attacks and corruptions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from gennas.training import TrainConfig, Trainer, make_task


@dataclass(frozen=True)
class Trained:
    """A network and the mean and deviation that it expects; images are those of all parts, from 0 to 16."""

    module: nn.Module
    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        logits: Tensor = self.module((images - self.mean) / self.std)
        return logits


@pytest.fixture(scope="session")
def trained() -> Trained:
    task = make_task("digits")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, 10),
        )
    Trainer(task, TrainConfig(epochs=6, lr=0.01)).fit(module)
    module.eval()
    data = task.data
    images, labels = (torch.cat([part[p] for p in ("train", "validation", "test")]) for part in (data.x, data.y))
    return Trained(module, images.float(), labels, data.mean, data.std)
