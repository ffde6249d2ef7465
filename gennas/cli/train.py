"""``gennas train``: train one architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from gennas.errors import ConfigError

if TYPE_CHECKING:
    from gennas.spaces import Space

__all__ = ["TrainVerbConfig", "chosen_space", "run_train"]


@dataclass(frozen=True)
class TrainVerbConfig:
    """Train one architecture and report validation and test accuracy, parameters, FLOPs and latency."""

    arch: str = ""
    """The architecture's text, or a summary.json, whose best architecture is taken."""
    space: str = "nasbench201"
    """Search space that the text belongs to."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE."""
    task: str = "digits"
    """Task: a name from `gennas list tasks`."""
    task_option: tuple[str, ...] = ()
    """Arguments of the task, as KEY=VALUE."""
    train_option: tuple[str, ...] = ()
    """Settings of the training recipe, as KEY=VALUE (for example lr=0.01)."""
    epochs: int | None = None
    """Training epochs (default: the task's)."""
    data_fraction: float = 1.0
    """Share of the training set used, in (0, 1]."""
    measure: str | None = None
    """Also measure the trained network, names separated by commas: ece, nll, brier, fgsm, pgd, corruptions, …"""
    measure_option: tuple[str, ...] = ()
    """Conditions of these measures, as KEY=VALUE (for example epsilon=2/255)."""
    save: Path | None = None
    """Write the trained weights to this .safetensors file, for `gennas export --weights`."""
    resolution: float = 1.0
    """Scale of image height and width, in (0, 1]."""
    width: float = 1.0
    """Scale of the network's channels; more than 1 is wider."""
    depth: float = 1.0
    """Scale of the network's cells (or layers) per stage; more than 1 is deeper."""
    source: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Run directory: its space, its options and, unless one is given, its best architecture."""
    resume: Path | None = None
    """Directory of training states: continue from the one that fits, and keep new ones there."""
    seed: int = 0
    """Seed of initialisation and data order."""
    download: bool = False
    """Allow the task to download its dataset."""


def run_train(config: TrainVerbConfig) -> int:
    """Run the verb."""
    from gennas.cli.terminal import print_metrics
    from gennas.eval.base import Fidelity
    from gennas.training import TrainEvaluator, make_task, save_module, scale_space
    from gennas.workbench.config import parse_options
    from gennas.workbench.problem import load_architecture, make_measures, make_recipe

    space, best = chosen_space(config.source, config.space, config.space_option, config.task)
    space = scale_space(space, config.width, config.depth)
    arch = load_architecture(config.arch or best, space)
    download = {"download": True} if config.download else {}
    task = make_task(config.task, **parse_options(config.task_option), **download)
    names, conditions = make_measures(config.measure, config.measure_option)
    evaluator = TrainEvaluator(
        space,
        task,
        make_recipe(task.config, config.train_option),
        measure=names,
        measure_config=conditions,
        checkpoints=config.resume,
    )
    fidelity = Fidelity(config.epochs, config.data_fraction, config.resolution)
    module, values = evaluator.train(arch, fidelity, config.seed)
    print_metrics(space.to_text(arch), values, evaluator.metrics)
    if config.save is not None:
        save_module(module, config.save, {"arch": space.to_text(arch)})
    return 0


def chosen_space(source: Path | None, name: str, options: Sequence[str], task: str) -> tuple[Space, str]:
    """The space that the settings name, or that of the run ``source`` and the text of its best architecture.

    Raises:
        ConfigError: both are given, or the run cannot be read.
    """
    from gennas.spaces import make_space
    from gennas.workbench.config import parse_options
    from gennas.workbench.transfer import space_and_best

    if source is None:
        return make_space(name, **parse_options(options)), ""
    if (name, tuple(options)) != (TrainVerbConfig.space, ()):
        raise ConfigError("Expected --from alone, which brings the run's space, got --space or --space-option with it.")
    return space_and_best(source, task)
