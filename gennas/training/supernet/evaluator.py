"""Scoring architectures by the weights that they inherit from a supernet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY, Fidelity, Metric
from gennas.eval.hardware import resolve_device
from gennas.graph import Architecture, Population
from gennas.runtime.seeds import seeded
from gennas.runtime.threads import cpu_threads
from gennas.spaces.base import Space
from gennas.training.data import Batch
from gennas.training.fidelity import apply_fidelity, scale_space, scale_spec
from gennas.training.scores import Loss, Score
from gennas.training.scoring import score_batches
from gennas.training.supernet.base import Supernet
from gennas.training.supernet.files import load_supernet
from gennas.training.supernet.norms import BatchNormMode, check_mode, set_batch_norm
from gennas.training.supernet.records import read_record
from gennas.training.task import Task

__all__ = ["SupernetEvaluator"]


class SupernetEvaluator:
    """Scores an architecture on the validation part with inherited weights; nothing is trained.

    Metrics: ``inherited_<score>`` for every score of the task and ``inherited_loss``, which are no measurements of
    networks trained alone and never pooled with them, and ``params`` and ``params_m``. The seconds that the supernet's
    training took are :attr:`upfront`: a search charges them with its first trial.

    It pickles by the directory's path: every process reads weights and data once. Equal architectures have equal
    scores, whatever the seed.

    Args:
        directory: of the supernet.
        space: that it was trained for.
        task: that it was trained for.
        batch_norm: which statistics batch norms use, see :func:`set_batch_norm`.
        recalibration: batches of training data for ``recalibrate``.
        batch_size: examples of these, and of the batches that are scored.
        batches: how many of the validation part's first batches are scored; all by default.
        device: ``auto``, ``cpu``, ``cuda``.
        threads: CPU threads.

    Raises:
        CheckpointError: no supernet there, or one of another space.
        ConfigError: it is of another task, or a setting is out of range.
    """

    cost_class: Literal["cheap", "expensive"] = "expensive"
    cheap_metrics = ("params", "params_m")

    def __init__(
        self,
        directory: str | Path,
        space: Space,
        task: Task,
        *,
        batch_norm: BatchNormMode = "recalibrate",
        recalibration: int = 4,
        batch_size: int = 500,
        batches: int | None = None,
        device: str = "auto",
        threads: int | None = 1,
    ) -> None:
        check_mode(batch_norm)
        if recalibration < 1 or batch_size < 1 or (batches is not None and batches < 1):
            raise ConfigError(
                "supernet: expected recalibration, batch_size and batches of at least 1, got "
                f"{recalibration}, {batch_size} and {batches}."
            )
        self.directory, self.space, self.task = Path(directory).resolve(), space, task
        self.batch_norm, self.recalibration = batch_norm, recalibration
        self.batch_size, self.batches, self.device, self.threads = batch_size, batches, device, threads
        record = read_record(self.directory)
        trained = f"{task.name}; {task.split}"
        if record.task != trained:
            raise ConfigError(f"{directory} holds a supernet of the task {record.task}, got {trained}: give its own.")
        self.fidelity = Fidelity(**record.fidelity)
        supernet = load_supernet(self.directory, space, task.spec)  # what is damaged or does not fit is said at once
        if supernet.partial > 1:
            raise ConfigError(
                f"{directory} holds a supernet whose candidates see 1/{supernet.partial} of the channels: no network "
                "inherits from it: score by one of another method."
            )
        self.upfront: Mapping[str, float] = {"seconds": record.seconds, "supernet_seconds": record.seconds}
        self.metrics: Mapping[str, Metric] = _metrics(task)
        self.primary = f"inherited_{task.score_classes[0].name}"
        norm = f"recalibrate {recalibration}x{batch_size}" if batch_norm == "recalibrate" else batch_norm
        part = "all" if batches is None else str(batches)
        self.protocol = (
            f"supernet({record.method}; weights {record.digest}); {trained}; space({space.identity}); "
            f"fidelity({self.fidelity}); bn={norm}; validation({part} batches of {batch_size}); "
            f"device({resolve_device(device).type})"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what is read from files."""
        return {name: value for name, value in vars(self).items() if name not in ("supernet", "_data")}

    @cached_property
    def supernet(self) -> Supernet:
        """The shared weights."""
        return load_supernet(self.directory, self.space, self.task.spec).to(resolve_device(self.device))

    @cached_property
    def _data(self) -> tuple[list[Batch], list[Batch]]:
        """Training batches to recalibrate on, always the same, and the validation batches that are scored."""
        data = apply_fidelity(self.task.data, self.fidelity, 0).to(resolve_device(self.device))
        drawn = data.batches("train", self.batch_size, torch.Generator().manual_seed(0))
        kept = list(islice(drawn, self.recalibration)) if self.batch_norm == "recalibrate" else []
        return kept, list(islice(data.batches("validation", self.batch_size), self.batches))

    def network(self, arch: Architecture) -> nn.Module:
        """The network with its inherited weights, in evaluation mode, its batch norms as they are scored."""
        network = self.supernet.network(arch)
        set_batch_norm(network, self.batch_norm, self._data[0])
        return network

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Scores of the network on the validation part.

        Raises:
            ConfigError: a fidelity is asked for: the supernet has its own.
            InvalidArchitectureError: the architecture lies outside of the supernet.
        """
        if fidelity != FULL_FIDELITY:
            raise ConfigError(
                "A supernet is evaluated at the fidelity that it was trained at: drop --epochs and the other fidelity "
                "settings, or give them to `gennas train-supernet`."
            )
        with cpu_threads(self.threads), seeded(0, resolve_device(self.device)):
            network, spec = self.network(arch), scale_spec(self.task.spec, self.fidelity)
            found = score_batches(network, self._data[1], self.task, spec)
        params = sum(p.numel() for p in network.parameters())
        return {f"inherited_{name}": value for name, value in found.items()} | _sizes(params)

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """Parameters of the network."""
        return {name: float(values[0]) for name, values in self.cheap_all([arch], fidelity).items()}

    def cheap_all(self, archs: Any, fidelity: Fidelity) -> Mapping[str, NDArray[np.float64]]:
        """Parameters of many networks at once, ``(b,)``; where the space cannot count they are built."""
        space = scale_space(self.space, self.fidelity.width, self.fidelity.depth)
        spec = scale_spec(self.task.spec, self.fidelity)
        population = archs if isinstance(archs, Population) else Population.of(space.schema, list(archs))
        counts = space.count_parameters(population, spec)
        if counts is None:
            with seeded(0):
                built = [space.build(arch, spec) for arch in population]
            counts = np.array([sum(p.numel() for p in network.parameters()) for network in built])
        return {"params": counts.astype(np.float64), "params_m": counts / 1e6}


def _sizes(params: int) -> dict[str, float]:
    return {"params": float(params), "params_m": params / 1e6}


def _metrics(task: Task) -> dict[str, Metric]:
    scores: dict[type[Score], None] = dict.fromkeys((*task.score_classes, Loss))
    found = [
        replace(
            score.metric("val"),
            name=f"inherited_{score.name}",
            description=f"validation {score.description} with weights inherited from the supernet",
        )
        for score in scores
    ]
    found.append(Metric("params", "min", "", "parameters", (0.0, math.inf)))
    found.append(Metric("params_m", "min", "M", "parameters in millions", (0.0, math.inf)))
    return {metric.name: metric for metric in found}
