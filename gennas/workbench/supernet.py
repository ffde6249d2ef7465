"""Training a supernet, and scoring by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.spaces import Space
from gennas.workbench.config import TrackingSettings
from gennas.workbench.evaluators import make_recipe, task_from
from gennas.workbench.problem import space_from, task_name
from gennas.workbench.settings import (
    NO_OPTIONS,
    FidelitySettings,
    OptionMap,
    Seed,
    SpaceSettings,
    Switch,
    TaskSettings,
)
from gennas.workbench.track import wandb_options

if TYPE_CHECKING:
    from gennas.graph import Architecture
    from gennas.tracking import WandbTraining
    from gennas.training.supernet import Diagnosis, SupernetRecord

__all__ = ["TrainSupernetSettings", "TrainedSupernet", "train_supernet"]

OnEpoch = Callable[[int, Mapping[str, float]], None]
OnNetwork = Callable[[int, "Architecture", float], None]


@dataclass(frozen=True)
class TrainSupernetSettings(TrackingSettings, FidelitySettings, TaskSettings, SpaceSettings):
    """Train one network that holds the weights of all architectures of a space, for `--evaluator supernet`."""

    out: Path = Path("runs/supernet")
    """Directory of the supernet; a training that was interrupted goes on there."""
    method: str = "spos"
    """How paths are trained: spos, fairnas, autoformer, ofa, darts, gdas, pc-darts, …"""
    method_option: OptionMap = NO_OPTIONS
    """Arguments of the method, as KEY=VALUE."""
    train_option: OptionMap = NO_OPTIONS
    """Settings of the training recipe, as KEY=VALUE (for example lr=1e-3, batch_size=128, device=cuda)."""
    checkpointing: Switch = False
    """Compute blocks twice in training instead of keeping what is in them: less memory, more time."""
    diagnose: int = 0
    """Train so many architectures alone, too, and say how well inherited scores rank them; 0 for none."""
    seed: Seed = 0
    """Seed of weights, paths and data order."""


@dataclass(frozen=True)
class TrainedSupernet:
    """A supernet on disk."""

    directory: Path
    record: SupernetRecord
    space: Space
    task: str
    tracked: str = ""
    """Where its tracker left it, for a person."""
    diagnosis: Diagnosis | None = None
    """How its scores rank, where that was asked for."""


def train_supernet(
    settings: TrainSupernetSettings, on_epoch: OnEpoch | None = None, on_network: OnNetwork | None = None
) -> TrainedSupernet:
    """Train a supernet, or go on with the one in ``out``; look at it where ``diagnose`` says so.

    Args:
        settings: the settings.
        on_epoch: called with the number of each epoch and its figures.
        on_network: called with the number of each network that was trained alone, its architecture and its score.

    Raises:
        GennasError: settings that contradict each other, or a training that fails.
    """
    from gennas.training.supernet import diagnose
    from gennas.training.supernet import train_supernet as train

    space = space_from(settings, task_name(settings.task))
    task = task_from(settings.task or "digits", settings.task_option, settings.download)
    config = make_recipe(task.config, settings.train_option)
    named = {name: settings.to_dict()[name] for name in ("space", "space_option", "task", "task_option")}
    tracker = _start_tracker(settings, space, task.name)

    def tell(epoch: int, values: Mapping[str, float]) -> None:
        for listener in (on_epoch, None if tracker is None else tracker.on_epoch):
            if listener is not None:
                listener(epoch, values)

    try:
        _, record = train(
            space,
            task,
            settings.out,
            settings.method,
            settings.method_option,
            config,
            settings.fidelity,
            settings.seed,
            checkpointing=settings.checkpointing,
            settings={**named, "task": named["task"] or "digits"},
            on_epoch=tell,
        )
        diagnosis = None
        if settings.diagnose:
            diagnosis = diagnose(settings.out, space, task, settings.diagnose, config, settings.seed, on_network)
    except BaseException:
        if tracker is not None:
            tracker.finish({}, failed=True)
        raise
    if tracker is not None:
        tracker.finish({"supernet_seconds": record.seconds, **({} if diagnosis is None else diagnosis.figures)})
    place = "" if tracker is None else tracker.place
    return TrainedSupernet(settings.out, record, space, task.name, place, diagnosis)


def _start_tracker(settings: TrainSupernetSettings, space: Space, task: str) -> WandbTraining | None:
    if settings.track == "none":
        return None
    from gennas.tracking import WandbTraining

    tracker = WandbTraining(wandb_options(settings), os.environ.get("WANDB_DIR", str(settings.out)))
    tracker.start({**settings.to_dict(), "space": space.name, "task": task}, f"supernet-{space.name}-{task}"[:120])
    return tracker
