"""What a training does with one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gennas.training.data import Batch, TaskData
from gennas.training.recipe import TrainConfig

__all__ = ["GradientStep", "Run", "StatefulStep", "Step", "WatchedStep"]


class Run(Protocol):
    """What a step finds: the training that it belongs to."""

    module: nn.Module
    data: TaskData
    config: TrainConfig
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR

    def loss(self, batch: Batch) -> Tensor:
        """Run the network on a batch; its mean loss, with a graph behind it."""


class Step(Protocol):
    """One step of a training; :class:`GradientStep` is the usual one.

    A training calls :meth:`run` once for every batch, in training mode. Order of batches, augmentation, checkpoints
    and selection are the training's business. Random numbers are PyTorch's global ones, which a training saves. A step
    that has a state of its own is a :class:`StatefulStep`.
    """

    def run(self, run: Run, batch: Batch) -> Tensor:
        """Change the weights, move the schedule on by one, and return the mean loss of the batch, detached."""


@runtime_checkable
class StatefulStep(Step, Protocol):
    """A step with a state, which is saved with the training's after every epoch and put back where it is continued."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Everything that the next step depends on, as tensors by dotted name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state_dict` returned; it comes after the training's device and data are known.

        Raises:
            CheckpointError: it is the state of another step.
        """


@runtime_checkable
class WatchedStep(Step, Protocol):
    """A step with figures of its own, which a training notes after every epoch beside losses and scores."""

    def records(self) -> Mapping[str, float]:
        """The figures so far."""


class GradientStep:
    """Forward, loss, backward, clip the gradient, one step of the optimiser and of the schedule."""

    def run(self, run: Run, batch: Batch) -> Tensor:
        """As the class says."""
        loss = run.loss(batch)
        run.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if run.config.grad_clip is not None:
            nn.utils.clip_grad_norm_(run.parameters, run.config.grad_clip)
        run.optimizer.step()
        run.schedule.step()
        return loss.detach()
