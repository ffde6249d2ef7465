"""What architectures cost on this machine, or what a predictor says that they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gennas.errors import ConfigError, shown
from gennas.workbench.evaluators import task_from
from gennas.workbench.problem import load_architecture, space_from
from gennas.workbench.settings import Count, Positive, Seed, SpaceSettings, Switch, TaskSettings, Texts

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gennas.eval.hardware import CostPredictor, PredictionQuality, Timing
    from gennas.graph import Architecture
    from gennas.spaces import Space
    from gennas.training import Task

__all__ = ["LatencySettings", "Measured", "measure"]


@dataclass(frozen=True)
class LatencySettings(TaskSettings, SpaceSettings):
    """Measure architectures on this machine, in turn (A B B A …), so that a drift of the machine meets all of them.

    More examples:
      gennas latency -n 20 --task digits --batch 64 --channels-last --out costs.csv
      gennas latency -n 300 --fit lookup --save lookup.npz             (measure, fit a predictor, say how good it is)
      gennas latency -n 5 --seed 1 --predictor lookup.npz                                    (predict, do not measure)
      gennas latency -n 3 --device cuda --events --cuda-graph --energy
    """

    arch: Texts = ()
    """Architectures by their text, or a summary.json, whose best architecture is taken (default: a sample of -n)."""
    n: Count = field(default=1, metadata={"aliases": ("n",)})
    """How many architectures to sample."""
    seed: Seed = 0
    """Seed of the sample and of the weights."""
    device: str = "cpu"
    """`cpu`, `cuda`, `cuda:1` or `auto`."""
    threads: Count = 1
    """CPU threads."""
    batch: Count = 1
    """Examples in one call; the graph of a node task is always one whole."""
    seconds: Positive = 0.3
    """Time of timed calls of every architecture."""
    channels_last: Switch = False
    """Weights and images in the channels-last memory format."""
    events: Switch = False
    """Time between CUDA events on the device, instead of wall time."""
    cuda_graph: Switch = False
    """Capture the call as a CUDA graph and time its replay."""
    energy: Switch = False
    """Also joules, with codecarbon (offline); the method is reported."""
    energy_seconds: Positive = 3.0
    """Length of the window over which energy is taken."""
    int8: Switch = False
    """Also the latency after INT8 quantisation (x86), beside the float network, both compiled; takes minutes."""
    int8_accuracy: Switch = False
    """Train on --task, quantise, and report both validation accuracies."""
    epochs: Count | None = None
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

    def check(self) -> None:
        """Refuse what contradicts itself, before anything is spent.

        Raises:
            ConfigError: it does.
        """
        if self.save is not None and (self.fit == "none" or self.save.suffix != ".npz"):
            raise ConfigError(
                f"--save writes what --fit makes to an .npz file, got --save {self.save} --fit {self.fit}."
            )
        if self.predictor is not None and (self.fit != "none" or self.int8 or self.int8_accuracy or self.energy):
            raise ConfigError("--predictor measures nothing: drop --fit, --energy and --int8.")
        if self.target == "energy_mj" and not self.energy:
            raise ConfigError("--target energy_mj needs --energy.")
        if self.int8_accuracy and self.task is None:
            raise ConfigError("--int8-accuracy trains on a task: give --task.")
        if self.fit != "none" and max(self.n, len(self.arch)) < 10:
            raise ConfigError(f"Expected at least 10 architectures to fit a predictor to, got -n {self.n}.")


@dataclass(frozen=True)
class Measured:
    """What architectures cost.

    Args:
        rows: values by name, one mapping per architecture.
        conditions: under which they were measured, or what predicted them, in one line.
        quality: of the predictor that was fitted, on held-out architectures.
    """

    rows: Sequence[dict[str, Any]]
    conditions: str
    quality: PredictionQuality | None = None


def measure(settings: LatencySettings) -> Measured:
    """Measure, or predict, and fit a predictor if that is wished.

    Raises:
        GennasError: settings that contradict each other, a device that is not there, networks that cannot be built.
    """
    space = space_from(settings)
    archs = _architectures(settings, space)
    if settings.predictor is not None:
        return Measured(*_predict(settings, space, archs))
    rows, conditions = _measure(settings, space, archs)
    quality = None if settings.fit == "none" else _fit(settings, space, archs, [row[settings.target] for row in rows])
    return Measured(rows, conditions, quality)


def _architectures(settings: LatencySettings, space: Space) -> list[Architecture]:

    if settings.arch:
        return [load_architecture(text, space) for text in settings.arch]
    return list(space.sample(settings.n, np.random.default_rng(settings.seed)))


def _measure(
    settings: LatencySettings, space: Space, archs: Sequence[Architecture]
) -> tuple[list[dict[str, Any]], str]:
    """Values of every architecture, and the conditions in one line."""
    import os

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler would announce itself on stderr
    from gennas.eval.hardware import Timing, measure_latencies, measure_memory, resolve_device

    timing = Timing(
        resolve_device(settings.device).type if settings.device == "auto" else settings.device,
        settings.threads,
        settings.seconds,
        channels_last=settings.channels_last,
        clock="events" if settings.events else "wall",
        cuda_graph=settings.cuda_graph,
    )
    task = None if settings.task is None else task_from(settings.task, settings.task_option, settings.download)
    modules, inputs, batch = _networks(settings, space, archs, task)
    rows: list[dict[str, Any]] = [{"arch": space.to_text(arch)} for arch in archs]
    if settings.int8_accuracy:
        assert task is not None  # checked first
        for row, module in zip(rows, modules, strict=True):
            row |= _accuracies(settings, task, module)
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
        row |= _extras(settings, module, inputs, batch, timing)
    return rows, _conditions(rows, timing)


def _networks(
    settings: LatencySettings, space: Space, archs: Sequence[Architecture], task: Task | None
) -> tuple[list[nn.Module], tuple[Tensor, ...], int]:
    """Networks with seeded weights, one batch of inputs, and the examples in it."""
    import torch

    from gennas.runtime.seeds import seeded
    from gennas.workbench.example import build_example

    with seeded(settings.seed, torch.device("cpu")):
        if task is None:
            spec, modules = build_example(space, archs)
        else:
            spec, modules = task.spec, [space.build(arch, task.spec) for arch in archs]
    if task is None and spec.kind in ("node", "graph"):
        raise ConfigError(f"What {space.name} costs depends on the graphs: give --task, such as cora or motifs.")
    inputs = spec.random_inputs(settings.batch) if task is None else task.example_inputs(settings.batch)
    return modules, inputs, 1 if spec.kind == "node" else settings.batch


def _extras(
    settings: LatencySettings, module: nn.Module, inputs: Sequence[Tensor], batch: int, timing: Timing
) -> dict[str, Any]:
    """Energy and INT8 latency, where they are asked for."""
    from gennas.eval.hardware import measure_energy, measure_int8_latency

    found: dict[str, Any] = {}
    if settings.energy:
        energy = measure_energy(
            module,
            inputs,
            batch=batch,
            device=timing.device,
            threads=settings.threads,
            seconds=settings.energy_seconds,
        )
        found |= {"energy_mj": 1e3 * energy.joules, "energy_method": energy.method}
    if settings.int8:
        both = measure_int8_latency(module, inputs, replace(timing, channels_last=False), batch=batch)
        found |= {"int8_ms": both.int8.median_ms, "float32_compiled_ms": both.float32.median_ms}
        found |= {"int8_noisy": both.int8.noisy or both.float32.noisy}
    return found


def _accuracies(settings: LatencySettings, task: Task, module: nn.Module) -> dict[str, float]:
    """Validation accuracy of the trained network, before and after quantisation."""
    import itertools

    import torch

    from gennas.eval.base import Fidelity
    from gennas.eval.hardware import accuracy, quantize_int8
    from gennas.training.trainer import Trainer

    if task.spec.kind != "image" or task.targets != "classes":
        raise ConfigError(f"--int8-accuracy needs a classification of images, got {shown(settings.task)}.")
    Trainer(task).fit(module, Fidelity(epochs=settings.epochs), settings.seed)
    data, size = task.data, 64
    shuffled = data.batches("train", size, torch.Generator().manual_seed(settings.seed))
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


def _makers() -> dict[str, Callable[..., CostPredictor]]:
    """Kinds of predictors that the command line can fit and load, the graph neural network among them."""
    from gennas.eval.hardware import PREDICTORS, RankPredictor

    def gnn(seed: int = 0) -> CostPredictor:
        from gennas.models.surrogate import GNNSurrogate

        return RankPredictor(GNNSurrogate(seed=seed), "gnn", {"seed": seed})

    return {**{name: PREDICTORS.get(name) for name in PREDICTORS}, "gnn": gnn}


def _predict(
    settings: LatencySettings, space: Space, archs: Sequence[Architecture]
) -> tuple[list[dict[str, Any]], str]:
    from gennas.eval.hardware import load_predictor
    from gennas.graph import Population

    assert settings.predictor is not None  # the caller saw to it
    predictor = load_predictor(settings.predictor, space.schema, _makers())
    mean, std = predictor.predict(Population.of(space.schema, archs))
    rows = [
        {"arch": space.to_text(arch), "predicted": float(m), "std": float(s)}
        for arch, m, s in zip(archs, mean, std, strict=True)
    ]
    return (
        rows,
        f"predicted by {settings.predictor}: {predictor.kind}, fitted on {len(predictor.values):,} architectures",
    )


def _fit(
    settings: LatencySettings, space: Space, archs: Sequence[Architecture], values: Sequence[float]
) -> PredictionQuality:
    """Fit, save, and say how good a fit on four fifths is on the others."""
    from gennas.eval.hardware import prediction_quality, save_predictor
    from gennas.graph import Population

    make = _makers()[settings.fit]
    population, y = Population.of(space.schema, archs), np.array(values)
    order = np.random.default_rng(settings.seed).permutation(len(y))
    known, others = np.split(order, [len(y) - len(y) // 5])
    quality = prediction_quality(y[others], _fitted(make, population, y, known).predict(population[others])[0])
    if settings.save is not None:
        save_predictor(_fitted(make, population, y, order), settings.save)
    return quality


def _fitted(make: Callable[..., CostPredictor], archs: Any, y: np.ndarray[Any, Any], rows: Any) -> CostPredictor:
    predictor = make()
    predictor.fit(archs[rows], y[rows])
    return predictor
