"""``gennas latency``: what architectures cost on this machine, or what a predictor says that they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from gennas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from gennas.eval.hardware import CostPredictor, Timing
    from gennas.graph import Architecture
    from gennas.spaces import Space
    from gennas.training import Task

__all__ = ["LatencyConfig", "run_latency"]

_SHOWN = 20
_HEADERS = {
    "median_ms": "median ms",
    "iqr_ms": "IQR ms",
    "cpu_ms": "CPU ms",
    "throughput": "examples/s",
    "peak_mb": "peak MB",
    "energy_mj": "energy mJ",
    "int8_ms": "INT8 ms",
    "float32_compiled_ms": "FP32 compiled ms",
    "val_accuracy": "val accuracy",
    "int8_val_accuracy": "INT8 val accuracy",
    "predicted": "predicted",
    "std": "std",
}


@dataclass(frozen=True)
class LatencyConfig:
    """Measure architectures on this machine, in turn (A B B A …), so that a drift of the machine meets all of them.

    More examples:
      gennas latency -n 20 --task digits --batch 64 --channels-last --out costs.csv
      gennas latency -n 300 --fit lookup --save lookup.npz             (measure, fit a predictor, say how good it is)
      gennas latency -n 5 --seed 1 --predictor lookup.npz                                    (predict, do not measure)
      gennas latency -n 3 --device cuda --events --cuda-graph --energy
    """

    arch: tuple[str, ...] = ()
    """Architectures by their text, or a summary.json, whose best architecture is taken (default: a sample of -n)."""
    n: Annotated[int, arg(aliases=("-n",))] = 1
    """How many architectures to sample."""
    space: str = "nasbench201"
    """Search space: a name from `gennas list spaces`, or `module:Class` / `file.py:Class`."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE."""
    task: str | None = None
    """Task that gives shapes and inputs (default: noise of 3x32x32, ten classes)."""
    task_option: tuple[str, ...] = ()
    """Arguments of the task, as KEY=VALUE."""
    seed: int = 0
    """Seed of the sample and of the weights."""
    device: str = "cpu"
    """`cpu`, `cuda`, `cuda:1` or `auto`."""
    threads: int = 1
    """CPU threads."""
    batch: int = 1
    """Images in one call; a graph is always one whole."""
    seconds: float = 0.3
    """Time of timed calls of every architecture."""
    channels_last: bool = False
    """Weights and images in the channels-last memory format."""
    events: bool = False
    """Time between CUDA events on the device, instead of wall time."""
    cuda_graph: bool = False
    """Capture the call as a CUDA graph and time its replay."""
    energy: bool = False
    """Also joules, with codecarbon (offline); the method is reported."""
    energy_seconds: float = 3.0
    """Length of the window over which energy is taken."""
    int8: bool = False
    """Also the latency after INT8 quantisation (x86), beside the float network, both compiled; takes minutes."""
    int8_accuracy: bool = False
    """Train on --task, quantise, and report both validation accuracies."""
    epochs: int | None = None
    """Training epochs of --int8-accuracy (default: the task's)."""
    fit: Literal["none", "lookup", "forest", "gnn"] = "none"
    """Fit a predictor to what was measured; a fifth is held out once to say how good it is."""
    target: Literal["median_ms", "cpu_ms", "peak_mb", "energy_mj"] = "median_ms"
    """What --fit predicts; CPU time is steadier on a busy machine."""
    save: Path | None = None
    """Write the fitted predictor to this .npz file."""
    predictor: Path | None = None
    """Predict with this saved predictor; nothing is measured."""
    out: Path | None = None
    """Also write all values to this CSV file."""


def run_latency(config: LatencyConfig) -> int:
    """Run the verb."""
    _check(config)
    from gennas.spaces import make_space
    from gennas.workbench.config import parse_options

    space = make_space(config.space, **parse_options(config.space_option))
    archs = _architectures(config, space)
    rows, footer = _predict(config, space, archs) if config.predictor is not None else _measure(config, space, archs)
    if config.out is not None:
        _write(config.out, rows)
    _print_rows(rows, footer)
    if config.fit != "none":
        _fit(config, space, archs, [row[config.target] for row in rows])
    return 0


def _check(config: LatencyConfig) -> None:
    """Refuse what contradicts itself, before anything is spent."""
    if config.n < 1 or config.batch < 1:
        raise ConfigError(f"Expected n >= 1 and batch >= 1, got n={config.n}, batch={config.batch}.")
    if config.save is not None and (config.fit == "none" or config.save.suffix != ".npz"):
        raise ConfigError(
            f"--save writes what --fit makes to an .npz file, got --save {config.save} --fit {config.fit}."
        )
    if config.predictor is not None and (config.fit != "none" or config.int8 or config.int8_accuracy or config.energy):
        raise ConfigError("--predictor measures nothing: drop --fit, --energy and --int8.")
    if config.target == "energy_mj" and not config.energy:
        raise ConfigError("--target energy_mj needs --energy.")
    if config.int8_accuracy and config.task is None:
        raise ConfigError("--int8-accuracy trains on a task: give --task.")
    if config.fit != "none" and max(config.n, len(config.arch)) < 10:
        raise ConfigError(f"Expected at least 10 architectures to fit a predictor to, got -n {config.n}.")


def _architectures(config: LatencyConfig, space: Space) -> list[Architecture]:
    import numpy as np

    from gennas.workbench.problem import load_architecture

    if config.arch:
        return [load_architecture(text, space) for text in config.arch]
    return list(space.sample(config.n, np.random.default_rng(config.seed)))


# ---------------------------------------------------------------------- measuring


def _measure(config: LatencyConfig, space: Space, archs: Sequence[Architecture]) -> tuple[list[dict[str, Any]], str]:
    """Values of every architecture, and the conditions in one line."""
    import os

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler would announce itself on stderr
    from gennas.eval.hardware import Timing, measure_latencies, measure_memory, resolve_device

    timing = Timing(
        resolve_device(config.device).type if config.device == "auto" else config.device,
        config.threads,
        config.seconds,
        channels_last=config.channels_last,
        clock="events" if config.events else "wall",
        cuda_graph=config.cuda_graph,
    )
    task = _task(config)
    modules, inputs, batch = _networks(config, space, archs, task)
    rows: list[dict[str, Any]] = [{"arch": space.to_text(arch)} for arch in archs]
    if config.int8_accuracy:
        assert task is not None  # checked first
        for row, module in zip(rows, modules, strict=True):
            row |= _accuracies(config, task, module)
    latencies = measure_latencies(modules, inputs, timing, batch=batch)
    for row, module, latency in zip(rows, modules, latencies, strict=True):
        memory = measure_memory(module, inputs, device=timing.device)
        row |= {name: getattr(latency, name) for name in ("median_ms", "iqr_ms", "cpu_ms", "throughput", "noisy")}
        row |= {"peak_mb": memory.bytes / 1e6, "memory_method": memory.method, "load": latency.load_average}
        row |= {
            "device": latency.device,
            "batch": latency.batch,
            "threads": latency.threads,
            "repeats": latency.repeats,
        }
        row |= _extras(config, module, inputs, batch, timing)
    return rows, _conditions(rows, timing)


def _task(config: LatencyConfig) -> Task | None:
    if config.task is None:
        return None
    from gennas.training import make_task
    from gennas.workbench.config import parse_options

    return make_task(config.task, **parse_options(config.task_option))


def _networks(
    config: LatencyConfig, space: Space, archs: Sequence[Architecture], task: Task | None
) -> tuple[list[nn.Module], tuple[Tensor, ...], int]:
    """Networks with seeded weights, one batch of inputs, and the examples in it."""
    import torch

    from gennas.runtime.seeds import seeded
    from gennas.spaces import TaskSpec

    spec = TaskSpec("image", (3, 32, 32), 10) if task is None else task.spec
    with seeded(config.seed, torch.device("cpu")):
        modules = [space.build(arch, spec) for arch in archs]
        noise = (torch.randn(config.batch, *spec.input_shape),)
    inputs = noise if task is None else task.example_inputs(config.batch)
    return modules, inputs, config.batch if spec.kind == "image" else 1


def _extras(
    config: LatencyConfig, module: nn.Module, inputs: Sequence[Tensor], batch: int, timing: Timing
) -> dict[str, Any]:
    """Energy and INT8 latency, where they are asked for."""
    from gennas.eval.hardware import measure_energy, measure_int8_latency

    found: dict[str, Any] = {}
    if config.energy:
        energy = measure_energy(
            module,
            inputs,
            batch=batch,
            device=timing.device,
            threads=config.threads,
            seconds=config.energy_seconds,
        )
        found |= {"energy_mj": 1e3 * energy.joules, "energy_method": energy.method}
    if config.int8:
        both = measure_int8_latency(module, inputs, replace(timing, channels_last=False), batch=batch)
        found |= {"int8_ms": both.int8.median_ms, "float32_compiled_ms": both.float32.median_ms}
        found |= {"int8_noisy": both.int8.noisy or both.float32.noisy}
    return found


def _accuracies(config: LatencyConfig, task: Task, module: nn.Module) -> dict[str, float]:
    """Validation accuracy of the trained network, before and after quantisation."""
    import itertools

    import torch

    from gennas.eval.base import Fidelity
    from gennas.eval.hardware import accuracy, quantize_int8
    from gennas.training.trainer import Trainer

    if task.spec.kind != "image":
        raise ConfigError(f"--int8-accuracy needs a task on images, got {config.task!r}.")
    Trainer(task).fit(module, Fidelity(epochs=config.epochs), config.seed)
    data, size = task.data, 64
    shuffled = data.batches("train", size, torch.Generator().manual_seed(config.seed))
    seen = [batch.inputs for batch in itertools.islice(shuffled, 4) if len(batch.y) == size]
    if not seen:
        raise ConfigError(f"Expected at least {size} training examples to calibrate with.")
    quantized = quantize_int8(module, seen[0], seen)
    validation = [(batch.inputs, batch.y) for batch in data.batches("validation", size)]
    return {
        "val_accuracy": accuracy(module.eval(), validation, size),
        "int8_val_accuracy": accuracy(quantized, validation, size),
    }


def _conditions(rows: Sequence[dict[str, Any]], timing: Timing) -> str:
    first = rows[0]
    methods = {row["energy_method"] for row in rows if "energy_method" in row}
    parts = [
        f"{first['device']} · batch {first['batch']} · {first['threads']} threads · {timing.clock} clock",
        *(["channels last"] if timing.channels_last else []),
        *(["CUDA graph"] if timing.cuda_graph else []),
        f"memory: {first['memory_method']}",
        *([f"energy: {', '.join(sorted(methods))}"] if methods else []),
        f"load {first['load']:.1f}",
    ]
    busy = timing.device == "cpu" and any(row["cpu_ms"] < 0.7 * row["median_ms"] for row in rows)
    hint = (
        "\nThe processor was shared: wall time is well above CPU time; compare CPU ms, or measure on an idle machine."
    )
    return " · ".join(parts) + (hint if busy else "")


# ---------------------------------------------------------------------- predicting


def _makers() -> dict[str, Callable[..., CostPredictor]]:
    """Kinds of predictors that the command line can fit and load, the graph neural network among them."""
    from gennas.eval.hardware import PREDICTORS, RankPredictor

    def gnn(seed: int = 0) -> CostPredictor:
        from gennas.models.surrogate import GNNSurrogate

        return RankPredictor(GNNSurrogate(seed=seed), "gnn", {"seed": seed})

    return {**{name: PREDICTORS.get(name) for name in PREDICTORS}, "gnn": gnn}


def _predict(config: LatencyConfig, space: Space, archs: Sequence[Architecture]) -> tuple[list[dict[str, Any]], str]:
    from gennas.eval.hardware import load_predictor
    from gennas.graph import Population

    assert config.predictor is not None  # the caller saw to it
    predictor = load_predictor(config.predictor, space.schema, _makers())
    mean, std = predictor.predict(Population.of(space.schema, archs))
    rows = [
        {"arch": space.to_text(arch), "predicted": float(m), "std": float(s)}
        for arch, m, s in zip(archs, mean, std, strict=True)
    ]
    return rows, f"predicted by {config.predictor}: {predictor.kind}, fitted on {len(predictor.values):,} architectures"


def _fit(config: LatencyConfig, space: Space, archs: Sequence[Architecture], values: Sequence[float]) -> None:
    """Fit, save, and say how good a fit on four fifths is on the others."""
    import numpy as np
    from rich.console import Console

    from gennas.eval.hardware import prediction_quality, save_predictor
    from gennas.graph import Population

    make = _makers()[config.fit]
    population, y = Population.of(space.schema, archs), np.array(values)
    order = np.random.default_rng(config.seed).permutation(len(y))
    known, others = np.split(order, [len(y) - len(y) // 5])
    quality = prediction_quality(y[others], _fitted(make, population, y, known).predict(population[others])[0])
    Console().print(
        f"{config.fit}: on {quality.n} held-out architectures {quality.within_5:.0%} within 5 %, "
        f"{quality.within_10:.0%} within 10 %, tau {quality.tau:.3f} (fitted on {len(known)})",
        soft_wrap=True,
        highlight=False,
    )
    if config.save is not None:
        save_predictor(_fitted(make, population, y, order), config.save)
        Console().print(f"Saved: {config.save} (fitted on all {len(y)})", soft_wrap=True, highlight=False)


def _fitted(make: Callable[..., CostPredictor], archs: Any, y: np.ndarray[Any, Any], rows: Any) -> CostPredictor:
    predictor = make()
    predictor.fit(archs[rows], y[rows])
    return predictor


# ---------------------------------------------------------------------- output


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import pandas as pd

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, index=False)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}.") from error


def _print_rows(rows: Sequence[dict[str, Any]], footer: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.cli.terminal import format_value

    console = Console()
    table = Table()
    shown = [name for name in _HEADERS if name in rows[0]]
    for name in shown:
        table.add_column(_HEADERS[name], justify="right")
    table.add_column("architecture", overflow="fold")
    for row in rows[:_SHOWN]:
        noisy = "[yellow]noisy[/yellow] " if row.get("noisy") or row.get("int8_noisy") else ""
        table.add_row(*(format_value(row[name]) for name in shown), noisy + row["arch"])
    console.print(table)
    console.print(footer, soft_wrap=True, highlight=False)
    if len(rows) > _SHOWN:
        console.print(f"The first {_SHOWN} of {len(rows)} are shown; --out writes all.", highlight=False)
