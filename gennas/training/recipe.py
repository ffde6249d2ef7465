"""How a network is trained: the recipe."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gennas.errors import ConfigError, shown

__all__ = ["TrainConfig"]


@dataclass(frozen=True)
class TrainConfig:
    """The recipe of a training; every number is per run, none depends on the architecture.

    Args:
        epochs: passes over the training part.
        batch_size: examples per step (graphs are trained full-batch).
        optimizer: ``sgd`` (Nesterov momentum) or ``adamw``.
        lr: peak learning rate.
        weight_decay: of the optimizer (decoupled in AdamW).
        momentum: of SGD.
        label_smoothing: in [0, 1).
        warmup: share of all steps over which the rate rises linearly; after it, a cosine falls to 0.
        schedule: ``cosine`` or ``constant`` after the warm-up.
        schedule_epochs: epochs over which the schedule runs; by default those that are trained. A training
            that is to be continued sets it to the last epoch it may ever reach.
        grad_clip: largest norm of the gradient, None for no limit.
        select: whose weights are tested and kept: those of the ``last`` epoch, or of the epoch with
            the ``best`` validation score, the task's primary one.
        patience: stop after so many epochs without a better validation score (with ``best``).
        crop_padding: pixels of zero padding before a random crop of images; 0 for none.
        flip: mirror images at random.
        amp: on CUDA, bfloat16 autocast and TF32.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        threads: CPU threads while training. A fixed number keeps results independent of how many
            workers share the machine; None leaves PyTorch's setting alone.
        eval_batch_size: examples per step when measuring scores.

    Raises:
        ConfigError: a number is out of range, or ``patience`` is set without ``select="best"``.
    """

    epochs: int = 12
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 5e-3
    weight_decay: float = 1e-2
    momentum: float = 0.9
    label_smoothing: float = 0.0
    warmup: float = 0.1
    schedule: Literal["cosine", "constant"] = "cosine"
    schedule_epochs: int | None = None
    grad_clip: float | None = 5.0
    select: Literal["last", "best"] = "last"
    patience: int | None = None
    crop_padding: int = 0
    flip: bool = False
    amp: bool = True
    device: str = "auto"
    threads: int | None = 1
    eval_batch_size: int = 512

    def __post_init__(self) -> None:
        checks = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "eval_batch_size": self.eval_batch_size >= 1,
            "optimizer": self.optimizer in ("sgd", "adamw"),
            "schedule": self.schedule in ("cosine", "constant"),
            "schedule_epochs": self.schedule_epochs is None or self.schedule_epochs >= 1,
            "select": self.select in ("last", "best"),
            "lr": self.lr > 0,
            "weight_decay": self.weight_decay >= 0,
            "momentum": 0 <= self.momentum < 1,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "warmup": 0 <= self.warmup < 1,
            "grad_clip": self.grad_clip is None or self.grad_clip > 0,
            "patience": self.patience is None or self.patience >= 1,
            "crop_padding": self.crop_padding >= 0,
            "threads": self.threads is None or self.threads >= 1,
        }
        values = {name: getattr(self, name) for name in checks}
        infinite = {name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)}
        wrong = [f"{name}={shown(values[name])}" for name, ok in checks.items() if not ok or name in infinite]
        if wrong:
            raise ConfigError(f"Training settings out of range: {', '.join(wrong)}; see TrainConfig for the ranges.")
        if self.patience is not None and self.select != "best":
            raise ConfigError("patience needs select='best': an early stop without it would keep arbitrary weights.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for records."""
        return asdict(self)
