"""Training a network: learn on train, select on validation, report test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gennas.errors import CheckpointError, ConfigError, EvaluationError, shown
from gennas.eval.base import Fidelity
from gennas.eval.hardware import resolve_device
from gennas.runtime.seeds import seeded
from gennas.runtime.threads import cpu_threads
from gennas.training.augment import Augmentation
from gennas.training.auxiliary import auxiliary_loss, tell_progress
from gennas.training.checkpoint import fill_module
from gennas.training.data import Batch, Part, TaskData
from gennas.training.fidelity import apply_fidelity, scale_spec
from gennas.training.kinds import loss_function
from gennas.training.recipe import TrainConfig
from gennas.training.result import TrainResult
from gennas.training.scoring import logits_of, score_batches
from gennas.training.state import (
    Progress,
    TrainingState,
    continuing,
    fill_optimizer,
    fill_random,
    load_state,
    optimizer_tensors,
    random_tensors,
    save_state,
)
from gennas.training.step import GradientStep, StatefulStep, Step, WatchedStep
from gennas.training.task import Task

__all__ = ["EpochListener", "Trainer"]

EpochListener = Callable[[int, Mapping[str, float]], None]


class Trainer:
    """Trains networks on a task.

    Args:
        task: data and default recipe.
        config: another recipe.
        step: what is done with a batch, by default :class:`~gennas.training.step.GradientStep`. The state of a
            :class:`~gennas.training.step.StatefulStep` is part of the training's state.
        identity: what else a training must share with one that it continues, by name.

    Example:
        >>> from gennas.training import TrainConfig, make_task
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        >>> result = Trainer(make_task("digits"), TrainConfig(epochs=5, lr=0.02)).fit(network)
        >>> result.epochs, result.test_accuracy > 0.8
        (5, True)
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig | None = None,
        step: Step | None = None,
        identity: Mapping[str, str] | None = None,
    ) -> None:
        self.task, self.config, self.step = task, config or task.config, step or GradientStep()
        self.identity = dict(identity or {})

    def fit(
        self,
        module: nn.Module,
        fidelity: Fidelity | None = None,
        seed: int = 0,
        *,
        resume_from: str | Path | None = None,
        save_to: str | Path | None = None,
        on_epoch: EpochListener | None = None,
    ) -> TrainResult:
        """Train ``module`` in place; it ends with the selected weights, on the device it came on.

        On a CPU the result is a function of the initial weights and ``seed``. The global random
        state of PyTorch is as before afterwards.

        Args:
            module: maps inputs to outputs as :class:`~gennas.spaces.TaskSpec` says for the task's kind.
            fidelity: how much to spend; its width is the space's business, not ours.
            seed: of the order of batches, augmentation, dropout and the share of the data.
            resume_from: directory of a state that an earlier call saved; training goes on up to the epochs of
                ``fidelity``. Where the schedule is the same (``TrainConfig.schedule_epochs``, or a constant rate
                without warm-up) the result is that of training at once.
            save_to: directory where the state is saved after every epoch.
            on_epoch: called after every epoch with its number, from 1, and its ``train_loss``, ``val_loss`` and
                ``val_<score>`` of the task's scores; first of all for the epochs that are read from a state.

        Raises:
            CheckpointError: the state belongs to another training, or cannot be read or written.
            EvaluationError: nothing to train, outputs of another shape, or a loss that is not finite.
            ConfigError: the device or the data are missing, or the fidelity does not fit the task.
        """
        start = time.perf_counter()
        fidelity, home = fidelity or Fidelity(), _device_of(module)
        device = resolve_device(self.config.device)
        data = apply_fidelity(self.task.data, fidelity, seed).to(device)
        is_image = self.task.spec.kind in ("image", "segmentation")
        module.to(device).to(memory_format=torch.channels_last if is_image else torch.preserve_format)
        try:
            with (
                seeded(seed, device),
                cpu_threads(self.config.threads),
                _tf32(self.config.amp and device.type == "cuda"),
            ):
                about = (self.step, self.identity)
                run = _Run(module, data, self.task, self.config, fidelity, device, seed, start, *about)
                if resume_from is not None:
                    run.resume(Path(resume_from))
                stopped = run.train(save_to, on_epoch)
                tested = run.evaluate("test")
        finally:
            module.to(home).to(memory_format=torch.contiguous_format if is_image else torch.preserve_format)
        p, primary = run.progress, self.task.score_classes[0]
        return TrainResult(
            {name: tuple(curve) for name, curve in p.curves.items()},
            p.selected_epoch,
            {score.name: tested[score.name] for score in self.task.score_classes},
            run.seconds,
            stopped,
            device.type,
            p.resumed_epoch,
            primary.name,
            primary.direction,
        )


@dataclass
class _Run:
    """One training: what it trains on, by which rule, and its progress."""

    module: nn.Module
    data: TaskData
    task: Task
    config: TrainConfig
    fidelity: Fidelity
    device: torch.device
    seed: int
    start: float
    step: Step
    others: Mapping[str, str]
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        config, data = self.config, self.data
        self.progress = Progress(self.task.score_classes)
        self.spec = scale_spec(self.task.spec, self.fidelity)
        self.loss_of = loss_function(self.task.targets)
        self.epochs = self.fidelity.epochs or config.epochs
        self.horizon = _schedule_epochs(config, self.epochs)
        self.generator = torch.Generator().manual_seed(self.seed)
        padding = math.ceil(config.crop_padding * self.fidelity.resolution)
        self.batches = partial(
            data.batches,
            "train",
            config.batch_size,
            generator=self.generator,
            augmentation=Augmentation(padding, config.flip) if padding or config.flip else None,
        )
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        if not self.parameters:
            raise EvaluationError(f"{type(self.module).__name__} has no trainable parameters; nothing can be learnt.")
        steps = data.num_batches("train", config.batch_size)
        self.optimizer = _optimizer(self.parameters, config)
        self.rate = partial(_rate, total=steps * self.horizon, config=config)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.rate)

    def train(
        self, save_to: str | Path | None = None, on_epoch: EpochListener | None = None
    ) -> Literal["finished", "patience"]:
        """Run the epochs and leave the selected weights in the module."""
        tell = on_epoch or (lambda epoch, values: None)
        for epoch in range(1, self.progress.epochs + 1):
            tell(epoch, self.progress.figures(epoch))
        while self.progress.epochs < self.epochs and not self._out_of_patience():
            self._advance()
            if save_to is not None:
                save_state(self.state(), save_to)
            tell(self.progress.epochs, self.progress.figures(self.progress.epochs))
        if self.progress.kept:
            self.module.load_state_dict(self.progress.kept)
        return "patience" if self._out_of_patience() else "finished"

    def _advance(self) -> None:
        """Train one epoch, measure, and keep the weights if they are the ones to keep."""
        progress = self.progress
        epoch = progress.epochs + 1
        train_loss = self._epoch(epoch)
        found = {f"val_{name}": value for name, value in self.evaluate("validation").items()}
        watched = self.step.records() if isinstance(self.step, WatchedStep) else None
        progress.add({"train_loss": train_loss, **found}, watched)
        if self.config.select == "last" or progress.improved:
            progress.selected_epoch = epoch
            if self.config.select == "best":
                progress.kept = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def _out_of_patience(self) -> bool:
        patience = self.config.patience
        return patience is not None and self.progress.epochs - self.progress.selected_epoch >= patience

    # ------------------------------------------------------------------ states

    @property
    def seconds(self) -> float:
        """Wall time, with that of the trainings this one continues."""
        return self.progress.earlier_s + time.perf_counter() - self.start

    @property
    def identity(self) -> dict[str, Any]:
        """What a training must share with the one that it continues."""
        ignored = ("epochs", "schedule_epochs", "device", "threads", "eval_batch_size")
        recipe = {name: value for name, value in self.config.to_dict().items() if name not in ignored}
        free = self.config.schedule == "constant" and self.config.warmup == 0
        spent = {name: value for name, value in self.fidelity.to_dict().items() if name != "epochs"}
        place = {"device": self.device.type, "seed": self.seed}
        task = f"{self.task.name}; {self.task.split}"
        step = {} if isinstance(self.step, GradientStep) else {"step": type(self.step).__qualname__}
        rest = {**recipe, "schedule_epochs": None if free else self.horizon, **spent, **place}
        return {"task": task, **step, **self.others, **rest}

    def state(self) -> TrainingState:
        """Everything that the next epoch depends on."""
        parts = {
            "network": self.module.state_dict(),
            "kept": self.progress.kept,
            "optimizer": optimizer_tensors(self.optimizer),
            "rng": random_tensors(self.generator, self.device),
            "step": self.step.state_dict() if isinstance(self.step, StatefulStep) else {},
        }
        own = {"identity": self.identity, "steps": self.schedule.last_epoch, "seconds": self.seconds}
        return TrainingState.of(parts, own | self.progress.record())

    def resume(self, directory: Path) -> None:
        """Put the training into a saved state."""
        state = load_state(directory)
        state.require(self.identity, directory)
        with continuing(directory):
            self._put_into(state, directory)

    def _put_into(self, state: TrainingState, directory: Path) -> None:
        self.progress = Progress.of(state, self.device, self.task.score_classes)
        if self.progress.epochs > self.epochs:
            raise CheckpointError(
                f"{directory} holds {self.progress.epochs} epochs, more than the {self.epochs} asked for; ask for more."
            )
        if self.progress.kept:
            fill_module(self.module, self.progress.kept, directory)  # which have to fit, too
        fill_module(self.module, state.part("network"), directory)
        fill_optimizer(self.optimizer, state.part("optimizer"))
        if isinstance(self.step, StatefulStep):
            self.step.load_state_dict(state.part("step"))
        self.schedule.last_epoch = state.record["steps"]
        for group, peak in zip(self.optimizer.param_groups, self.schedule.base_lrs, strict=True):
            group["lr"] = peak * self.rate(self.schedule.last_epoch)
        fill_random(state.part("rng"), self.generator, self.device)

    # ------------------------------------------------------------------ steps

    def evaluate(self, part: Part) -> dict[str, float]:
        """Mean loss and scores of a part by name, in evaluation mode."""
        self.module.eval()
        batches = self.data.batches(part, self.config.eval_batch_size)
        return score_batches(self.module, batches, self.task, self.spec, self.config.amp)

    def loss(self, batch: Batch) -> Tensor:
        """Run the network on a batch; its mean loss, with a graph behind it."""
        loss_of = partial(self.loss_of, y=batch.y, label_smoothing=self.config.label_smoothing)
        logits = logits_of(self.module, batch, self.task, self.spec, self.config.amp)
        return loss_of(logits) + auxiliary_loss(self.module, loss_of)

    def _epoch(self, epoch: int) -> float:
        """One pass over the training part; its mean loss."""
        self.module.train()
        check_every = 1 if self.device.type == "cpu" else 50  # reading the loss makes a GPU wait
        total, count = torch.zeros((), device=self.device), 0
        tell_progress(self.module, (epoch - 1) / self.horizon)
        for i, batch in enumerate(self.batches()):
            total += self.step.run(self, batch) * len(batch.y)
            count += len(batch.y)
            if i % check_every == 0:
                self._check_finite(float(total) / count, epoch)
        mean = float(total) / count
        self._check_finite(mean, epoch)
        return mean

    def _check_finite(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise EvaluationError(
                f"Task {shown(self.task.name)}: the loss became {loss} in epoch {epoch} of {self.epochs}; "
                f"try a smaller learning rate than {self.config.lr:g}."
            )


def _schedule_epochs(config: TrainConfig, epochs: int) -> int:
    """Epochs over which the rate's schedule runs."""
    horizon = config.schedule_epochs or epochs
    if config.schedule == "cosine" and epochs > horizon:
        raise ConfigError(
            f"Expected at most {horizon} epochs, got {epochs}: the learning rate's schedule ends there. "
            f"Set schedule_epochs={epochs} in the recipe, from the first training on."
        )
    return horizon


def _rate(step: int, total: int, config: TrainConfig) -> float:
    """Learning rate as a share of its peak: a linear rise, then half a cosine down to 0."""
    warm = round(config.warmup * total)
    if step < warm:
        return (step + 1) / warm
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _optimizer(parameters: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        parameters,
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.momentum > 0,
    )


def _device_of(module: nn.Module) -> torch.device:
    return next((p.device for p in module.parameters()), torch.device("cpu"))


@contextmanager
def _tf32(enabled: bool) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if enabled else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
