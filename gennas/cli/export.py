"""``gennas export``: write a network to a file that is used without gennas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from gennas.cli.train import chosen_space
from gennas.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from gennas.training import Task

__all__ = ["ExportConfig", "run_export"]


@dataclass(frozen=True)
class ExportConfig:
    """Export a network: read the file back, compare its outputs, and print the largest difference."""

    arch: str = ""
    """The architecture's text, or a summary.json, whose best architecture is taken."""
    to: Literal["onnx", "pt2", "safetensors", "source"] = "onnx"
    """ONNX, a program of torch.export, weights alone, or readable Python source that imports only torch."""
    out: Path | None = None
    """The file to write."""
    space: str = "nasbench201"
    """Search space that the text belongs to."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE."""
    task: str = "digits"
    """Task whose inputs and classes the network is built for."""
    task_option: tuple[str, ...] = ()
    """Arguments of the task, as KEY=VALUE."""
    source: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Run directory: its space, its options and, unless one is given, its best architecture."""
    resolution: float = 1.0
    """Scale of image height and width, in (0, 1], as in `gennas train`."""
    width: float = 1.0
    """Scale of the network's channels, as in `gennas train`."""
    depth: float = 1.0
    """Scale of the network's cells (or layers) per stage, as in `gennas train`."""
    weights: Path | None = None
    """Trained weights, from `gennas train --save`; without them the network is freshly initialised."""
    seed: int = 0
    """Seed of a fresh initialisation."""


def run_export(config: ExportConfig) -> int:
    """Run the verb."""
    if config.out is None:
        raise ConfigError(f"Say where to write with --out FILE, for example --out net.{_ending(config.to)}.")
    import torch

    from gennas.eval.base import Fidelity
    from gennas.export import export_module
    from gennas.training import load_module, make_task, read_note, scale_space, scale_spec
    from gennas.workbench.config import parse_options
    from gennas.workbench.problem import load_architecture

    space, best = chosen_space(config.source, config.space, config.space_option, config.task)
    space = scale_space(space, config.width, config.depth)
    arch = load_architecture(config.arch or best, space)
    task = make_task(config.task, **parse_options(config.task_option))
    spec = scale_spec(task.spec, Fidelity(resolution=config.resolution))
    text = space.to_text(arch)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        module = space.build(arch, spec)
    if config.weights is not None:
        saved = read_note(config.weights).get("arch", text)
        if saved != text:
            raise CheckpointError(f"The weights in {config.weights} are those of {saved}, expected {text}.")
        load_module(module, config.weights)
    inputs, *checks = _examples(task, spec.input_shape)
    note = {"arch": text, "space": space.name, "task": task.name}
    difference = export_module(module, inputs, config.out, config.to, checks=checks, note=note)
    _print(config, difference, [len(i[0]) for i in (inputs, *checks)])
    return 0


def _ending(to: str) -> str:
    return "py" if to == "source" else to


def _examples(task: Task, shape: tuple[int, ...]) -> list[tuple[Tensor, ...]]:
    """Inputs to trace on and others to compare on: batches of several sizes, or a graph and half of it."""
    inputs = task.example_inputs(2, shape)
    if len(inputs) == 1:
        return [inputs, task.example_inputs(1, shape), task.example_inputs(5, shape)]
    x, edges = inputs
    half = len(x) // 2
    return [inputs, (x[:half], edges[:, (edges < half).all(0)])]


def _print(config: ExportConfig, difference: float, sizes: list[int]) -> None:
    from rich.console import Console

    assert config.out is not None  # checked first
    console = Console()
    console.print(f"{config.out} · {config.to} · {config.out.stat().st_size:,} bytes", soft_wrap=True, highlight=False)
    where = ", ".join(str(size) for size in sizes)
    console.print(f"Read back: largest difference of outputs {difference:.2g} on {where} examples", highlight=False)
    if config.weights is None and config.to != "source":
        console.print("[yellow]No --weights were given: these are freshly initialised.[/yellow]")
