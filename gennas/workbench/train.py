"""Training one architecture, such as the best of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gennas.eval.base import Metric
from gennas.workbench.chosen import ArchitectureSettings, Chosen, choose
from gennas.workbench.config import TrainingSettings
from gennas.workbench.evaluators import make_measures, make_recipe
from gennas.workbench.settings import ScaledSettings, Seed, SpaceSettings, TaskSettings

__all__ = ["TrainSettings", "Trained", "train"]


@dataclass(frozen=True)
class TrainSettings(ScaledSettings, TrainingSettings, TaskSettings, SpaceSettings, ArchitectureSettings):
    """Train one architecture and report validation and test accuracy, parameters, FLOPs and latency."""

    save: Path | None = None
    """Write the trained weights to this .safetensors file, for `gennas export --weights`."""
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


def train(settings: TrainSettings) -> Trained:
    """Train an architecture, and save its weights if that is wished.

    Raises:
        GennasError: settings that contradict each other, or a training that fails.
    """
    from gennas.training import TrainEvaluator, save_module

    chosen = choose(settings, settings.scale)
    names, conditions = make_measures(settings.measure, settings.measure_option)
    evaluator = TrainEvaluator(
        chosen.space,
        chosen.task,
        make_recipe(chosen.task.config, settings.train_option),
        measure_energy=settings.energy,
        measure=names,
        measure_config=conditions,
        checkpoints=settings.resume,
    )
    module, values = evaluator.train(chosen.arch, settings.fidelity, settings.seed)
    if settings.save is not None:
        save_module(module, settings.save, {"arch": chosen.space.to_text(chosen.arch)})
    return Trained(chosen, values, evaluator.metrics)
