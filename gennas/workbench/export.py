"""Writing a network to a file that is used without gennas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gennas.errors import ConfigError
from gennas.runtime.seeds import seeded
from gennas.workbench.chosen import ArchitectureSettings, Chosen, choose
from gennas.workbench.settings import Seed, SizeSettings, SpaceSettings, TaskSettings

if TYPE_CHECKING:
    from torch import Tensor

    from gennas.training import Task

__all__ = ["ExportSettings", "Exported", "export"]


@dataclass(frozen=True)
class ExportSettings(SizeSettings, TaskSettings, SpaceSettings, ArchitectureSettings):
    """Export a network: read the file back, compare its outputs, and print the largest difference."""

    to: Literal["onnx", "pt2", "safetensors", "source"] = "onnx"
    """ONNX, a program of torch.export, weights alone, or readable Python source that imports only torch."""
    out: Path | None = None
    """The file to write."""
    weights: Path | None = None
    """Trained weights, from `gennas train --save`; without them the network is freshly initialised."""
    seed: Seed = 0
    """Seed of a fresh initialisation."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how far its outputs are from the network's."""

    chosen: Chosen
    path: Path
    difference: float
    sizes: tuple[int, ...]
    """Numbers of examples that were compared."""


def export(settings: ExportSettings) -> Exported:
    """Write a network, read it back and compare.

    Raises:
        GennasError: no place to write to, weights of another network, or a format that cannot hold it.
    """
    if settings.out is None:
        ending = "py" if settings.to == "source" else settings.to
        raise ConfigError(f"Say where to write with --out FILE, for example --out net.{ending}.")
    from gennas.export import export_module
    from gennas.training import scale_spec
    from gennas.training.checkpoint import load_trained

    chosen = choose(settings)
    spec = scale_spec(chosen.task.spec, chosen.fidelity)
    text = chosen.space.to_text(chosen.arch)
    with seeded(settings.seed):
        module = chosen.space.build(chosen.arch, spec)
    if settings.weights is not None:
        load_trained(module, settings.weights, text)
    inputs, *checks = _examples(chosen.task, spec.input_shape)
    note = {"arch": text, "space": chosen.space.name, "task": chosen.task.name}
    difference = export_module(module, inputs, settings.out, settings.to, checks=checks, note=note)
    return Exported(chosen, settings.out, difference, tuple(len(i[0]) for i in (inputs, *checks)))


def _examples(task: Task, shape: tuple[int, ...]) -> list[tuple[Tensor, ...]]:
    """Inputs to trace on and others to compare on: batches of several sizes, or a graph and half of it."""
    inputs = task.example_inputs(2, shape)
    if task.spec.kind != "node":
        return [inputs, task.example_inputs(1, shape), task.example_inputs(5, shape)]
    x, edges = inputs
    half = len(x) // 2
    return [inputs, (x[:half], edges[:, (edges < half).all(0)])]
