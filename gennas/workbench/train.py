"""Training one architecture, such as the best of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.eval.base import Metric
from gennas.workbench.chosen import ArchitectureSettings, Chosen, choose
from gennas.workbench.config import TrackingSettings, TrainingSettings
from gennas.workbench.evaluators import make_measures, make_recipe
from gennas.workbench.settings import ScaledSettings, Seed, SpaceSettings, TaskSettings
from gennas.workbench.track import wandb_options

if TYPE_CHECKING:
    from gennas.tracking import WandbTraining
    from gennas.training import TrainEvaluator

__all__ = ["TrainSettings", "Trained", "train"]


@dataclass(frozen=True)
class TrainSettings(
    TrackingSettings, ScaledSettings, TrainingSettings, TaskSettings, SpaceSettings, ArchitectureSettings
):
    """Train one architecture and report validation and test accuracy, parameters, FLOPs and latency."""

    save: Path | None = None
    """Write the trained weights to this .safetensors file, for `gennas export --weights`."""
    inherit: Path | None = None
    """Directory of a supernet: start from the weights that the architecture inherits there."""
    weights: Path | None = None
    """Start from these weights of a trained network, such as those that `gennas compress` leaves."""
    resume: Path | None = None
    """Directory of training states: continue from the one that fits, and keep new ones there."""
    seed: Seed = 0
    """Seed of initialisation and data order."""


@dataclass(frozen=True)
class Trained:
    """What was trained, and what was measured of it."""

    chosen: Chosen
    values: Mapping[str, float]
    metrics: Mapping[str, Metric]
    tracked: str = ""
    """Where its tracker left it, for a person."""


def train(settings: TrainSettings) -> Trained:
    """Train an architecture, and save its weights if that is wished.

    Raises:
        GennasError: settings that contradict each other, or a training that fails.
    """
    from gennas.training import TrainEvaluator, save_module

    chosen = choose(settings)
    names, conditions = make_measures(settings.measure, settings.measure_option)
    evaluator = TrainEvaluator(
        chosen.space,
        chosen.task,
        make_recipe(chosen.task.config, {**chosen.train_option, **settings.train_option}),
        measure_energy=settings.energy,
        measure=names,
        measure_config=conditions,
        checkpoints=settings.resume,
        inherit=settings.inherit,
        weights=settings.weights,
    )
    tracker = _start_tracker(settings, evaluator, chosen)
    listener = None if tracker is None else tracker.on_epoch
    try:
        module, values = evaluator.train(chosen.arch, chosen.fidelity, settings.seed, listener)
    except BaseException:
        if tracker is not None:
            tracker.finish({}, failed=True)
        raise
    if settings.save is not None:
        save_module(module, settings.save, {"arch": chosen.space.to_text(chosen.arch)})
    if tracker is None:
        return Trained(chosen, values, evaluator.metrics)
    tracker.finish(values)
    return Trained(chosen, values, evaluator.metrics, tracker.place)


def _start_tracker(settings: TrainSettings, evaluator: TrainEvaluator, chosen: Chosen) -> WandbTraining | None:
    """W&B writes beside the weights, else where ``WANDB_DIR`` says, else here."""
    if settings.track == "none":
        return None
    from gennas.tracking import WandbTraining

    home = os.environ.get("WANDB_DIR", ".") if settings.save is None else settings.save.parent
    tracker = WandbTraining(wandb_options(settings), home)
    text = chosen.space.to_text(chosen.arch)
    config = {**settings.to_dict(), **chosen.effort, "train_option": evaluator.config.to_dict(), "arch": text}
    names = {"space": chosen.space.name, "task": chosen.task.name}
    tracker.start({**config, **names}, f"{chosen.task.name}-{text}"[:120], evaluator.metrics)  # W&B keeps 128
    return tracker
