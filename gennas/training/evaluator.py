"""Scoring architectures by training what they build."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from gennas.errors import CheckpointError, ConfigError, EvaluationError, reason_of, shown
from gennas.eval.base import Fidelity, Measured, Metric
from gennas.eval.complexity import count_flops
from gennas.eval.hardware import EnergyMeter, measure_latency, resolve_device
from gennas.eval.stopping import StoppedEarlyError, falls_short, signed
from gennas.graph import Architecture
from gennas.registry import reconfigured
from gennas.runtime.seeds import seeded
from gennas.runtime.threads import cpu_threads
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.checkpoint import load_trained
from gennas.training.fidelity import apply_fidelity, scale_space, scale_spec
from gennas.training.measures import MeasureConfig, check_measures, measure_metrics, measure_network, measure_protocol
from gennas.training.recipe import TrainConfig
from gennas.training.result import TrainResult
from gennas.training.state import StateStore
from gennas.training.task import Task
from gennas.training.trainer import EpochListener, Trainer

__all__ = ["TrainEvaluator"]


class TrainEvaluator:
    """Builds an architecture, trains it on a task and measures what it costs.

    Metrics: ``val_<score>`` and ``test_<score>`` for every score of the task, of the selected weights
    (``val_accuracy`` and ``test_accuracy``, fractions, of a classification), ``train_loss``,
    ``sotl`` and ``sotl_e`` (sums of the training losses of all and of the last epochs, Ru et al. 2021),
    ``params`` and ``params_m``, ``flops`` (multiply-accumulates of one example, or of the graph),
    ``latency_ms`` and ``latency_iqr_ms`` (one batch on the training device), ``train_s``; with ``measure``
    ``measure_s`` and, for every measure, ``val_…`` and ``test_…``. ``primary`` names the one that a search is for
    unless it says otherwise.

    Settings that the space brings with an architecture (:meth:`gennas.spaces.Space.hyperparameters`, as those of a
    joint space) replace those of the recipe in its training; the protocol names them.

    It pickles: data are read in the process that trains, once. With the same seed on a CPU it
    returns the same accuracies, whatever ran before and on how many workers.

    Args:
        space: builds the networks.
        task: what they are trained for.
        config: another recipe than the task's own.
        measure_latency: whether to time the trained network (it takes about half a second).
        measure_energy: whether to record the energy of the training (``train_joules``), with codecarbon.
        latency_batch: examples per timed call; the graph of a node task is always timed whole, as a batch of one.
        latency_threads: CPU threads while timing.
        checkpoints: directory where training states are kept by architecture, fidelity and seed; a training that
            differs from an earlier one by more epochs alone goes on from there. The schedule then always runs
            over ``config.schedule_epochs`` (by default ``config.epochs``), however few epochs are asked for.
        max_checkpoints: most states that are kept; the oldest go first.
        sotl_epochs: epochs ``E`` of ``sotl_e``.
        measure: names of :data:`gennas.training.measures.MEASURES` that the trained network is measured by: on
            validation data for the search, on test data to be reported.
        measure_config: their conditions.
        inherit: directory of a supernet: networks start from the weights that they inherit there.
        weights: file of a trained network of the same architecture, whose weights it starts from.

    Raises:
        CheckpointError: ``checkpoints`` holds states of another task, space or recipe.
        UnknownNameError: no such measure.
        ConfigError: both ``inherit`` and ``weights`` are given, ``sotl_epochs`` or ``max_checkpoints`` is not positive,
            the device is not there, or a measure has no meaning for the task.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> from gennas.training import make_task
        >>> evaluator = TrainEvaluator(NASBench201(num_cells=1, width=8), make_task("digits"))
        >>> evaluator.metrics["val_accuracy"].direction, evaluator.cost_class
        ('max', 'expensive')
    """

    cost_class: Literal["cheap", "expensive"] = "expensive"

    def __init__(
        self,
        space: Space,
        task: Task,
        config: TrainConfig | None = None,
        *,
        measure_latency: bool = True,
        measure_energy: bool = False,
        latency_batch: int = 1,
        latency_threads: int = 1,
        checkpoints: str | Path | None = None,
        max_checkpoints: int = 200,
        sotl_epochs: int = 3,
        measure: Sequence[str] = (),
        measure_config: MeasureConfig | None = None,
        inherit: str | Path | None = None,
        weights: str | Path | None = None,
    ) -> None:
        self.space, self.task, self.config = space, task, config or task.config
        if checkpoints is not None and self.config.schedule == "cosine" and self.config.schedule_epochs is None:
            self.config = replace(self.config, schedule_epochs=self.config.epochs)
        _check_settings(space, self.config)
        if sotl_epochs < 1:
            raise ConfigError(f"Expected sotl_e over at least one epoch, got sotl_epochs={sotl_epochs}.")
        self.sotl_epochs = sotl_epochs
        self.measure_latency = measure_latency
        self.latency_batch = 1 if task.spec.kind == "node" else latency_batch
        self.latency_threads = latency_threads
        timing = f"batch {self.latency_batch}, {latency_threads} threads"
        check_measures(measure, task.spec.kind, task.targets)
        self.primary = task.primary.name
        self.measure, self.measure_config = tuple(measure), measure_config or MeasureConfig()
        self.metrics: Mapping[str, Metric] = {
            **task.metrics,
            **_speed_metrics(sotl_epochs),
            **_cost_metrics(timing if measure_latency else None),
            **measure_metrics(self.measure),
        }
        self.energy_method = EnergyMeter(self.config.device).method if measure_energy else None
        if self.energy_method is not None:
            about = f"energy of the training ({self.energy_method})"
            self.metrics = {**self.metrics, "train_joules": Metric("train_joules", "min", "J", about, (0.0, math.inf))}
        trained = f"train({task.name}; {task.split}); space({space.identity}); recipe({_recipe(self.config, space)})"
        if inherit is not None and weights is not None:
            raise ConfigError("Expected weights from one place, got both a supernet (inherit) and a file (weights).")
        self.inherit = None if inherit is None else Path(inherit)
        if self.inherit is not None:
            from gennas.training.supernet.records import read_record

            trained += f"; weights inherited from {read_record(self.inherit).digest}"
        self.weights = None if weights is None else Path(weights)
        if self.weights is not None:
            trained += f"; weights of {_weights_digest(self.weights)}"
        device = f"device({resolve_device(self.config.device).type})"
        self.protocol = f"{trained}; latency({timing if measure_latency else 'none'}); {device}"
        if self.energy_method is not None:
            self.protocol += f"; energy({self.energy_method})"
        if self.measure:
            self.protocol += f"; measures({measure_protocol(self.measure, self.measure_config)})"
        kept, schema = f"{trained}; {device}", space.schema
        former = kept.replace(schema.fingerprint, schema.structure)
        self.store = checkpoints and StateStore(checkpoints, kept, max_checkpoints, former)

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules that are imported only when a network is trained and measured."""
        wanted = {
            "torch.utils.benchmark": self.measure_latency,
            "torchvision.transforms.v2": "corruptions" in self.measure,
            "codecarbon": self.energy_method is not None,
        }
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    @property
    def stops_on(self) -> str:
        """What early stopping judges by: the task's own score on validation data."""
        return self.primary

    cheap_metrics = ("params", "params_m", "flops")

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """Parameters and multiply-accumulates of the network, which is built but not trained."""
        spec = scale_spec(self.task.spec, fidelity)
        with seeded(0, torch.device("cpu")):
            module = scale_space(self.space, fidelity.width, fidelity.depth).build(arch, spec)
        return _complexity(module, self.task.example_inputs(1, spec.input_shape))

    def check(self, arch: Architecture, fidelity: Fidelity) -> None:
        """Build a network and pass two examples of the task's shape through it, or its graph.

        Raises:
            EvaluationError: the output has another shape than the task wants.
        """
        spec = scale_spec(self.task.spec, fidelity)
        with seeded(0, torch.device("cpu")), torch.no_grad():
            module = scale_space(self.space, fidelity.width, fidelity.depth).build(arch, spec).eval()
            inputs = self.task.example_inputs(2, spec.input_shape)
            outputs = module(*inputs)
        expected = spec.output_shape(len(inputs[0]) if spec.kind == "node" else 2)
        if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != expected:
            got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
            raise EvaluationError(f"Expected outputs of shape {expected}, got {got}.")

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Build, train and measure.

        Raises:
            EvaluationError: the network cannot be trained.
            ConfigError: the fidelity, the device or the data do not fit.
        """
        return self.train(arch, fidelity, seed)[1]

    def evaluate_until(
        self, arch: Architecture, fidelity: Fidelity, seed: int, bars: Sequence[float]
    ) -> Mapping[str, float]:
        """As :meth:`evaluate`, but end the training where its validation scores fall short of ``bars``.

        Raises:
            StoppedEarlyError: it was ended; neither was it tested nor its latency measured.
        """
        curves: dict[str, list[float]] = {}
        epochs, direction = fidelity.epochs or self.config.epochs, self.metrics[self.stops_on].direction

        def judge(epoch: int, values: Mapping[str, float]) -> None:
            for name, value in values.items():
                curves.setdefault(name, []).append(value)
            if epoch < epochs and falls_short(signed(curves[self.stops_on], direction), bars):
                (bar,) = signed(bars[epoch - 1 : epoch], direction)
                raise StoppedEarlyError(self.stops_on, curves, bar, epochs, direction=direction)

        return self.train(arch, fidelity, seed, judge)[1]

    def train(
        self, arch: Architecture, fidelity: Fidelity, seed: int, on_epoch: EpochListener | None = None
    ) -> tuple[nn.Module, Mapping[str, float]]:
        """As :meth:`evaluate`, and also return the trained network; ``on_epoch`` as of :meth:`Trainer.fit`."""
        spec = scale_spec(self.task.spec, fidelity)
        device = resolve_device(self.config.device)
        with seeded(seed, device):
            module = self._untrained(arch, fidelity, spec)
        try:
            with nullcontext() if self.energy_method is None else EnergyMeter(self.config.device) as meter:
                result = self._fit(module, arch, fidelity, seed, on_epoch)
        except StoppedEarlyError as ended:
            ended.cost |= {} if meter is None else {"train_joules": meter.joules}
            raise
        values = {
            **result.selected(),
            "train_loss": result.train_loss[-1],
            "sotl": result.sotl,
            "sotl_e": result.sotl_e(self.sotl_epochs),
            "train_s": result.seconds,
            **_complexity(module, self.task.example_inputs(1, spec.input_shape)),
        }
        if meter is not None:
            values["train_joules"] = meter.joules
        if self.measure_latency:
            latency = measure_latency(
                module,
                self.task.example_inputs(self.latency_batch, spec.input_shape),
                batch=self.latency_batch,
                device=self.config.device,
                threads=self.latency_threads,
            )
            values |= {"latency_ms": latency.median_ms, "latency_iqr_ms": latency.iqr_ms}
        curves = {name: result.curves[name] for name in dict.fromkeys([self.primary, "val_loss", *result.curves])}
        return module, Measured({**values, **self._measured(module, fidelity, seed)}, curves)

    def _untrained(self, arch: Architecture, fidelity: Fidelity, spec: TaskSpec) -> nn.Module:
        """The network before its training: freshly initialised, with a file's weights, or with what it inherits.

        Raises:
            ConfigError: the supernet was trained for inputs of another shape.
            CheckpointError: it is of another space, or the file of another network.
        """
        space = scale_space(self.space, fidelity.width, fidelity.depth)
        if self.inherit is None:
            module = space.build(arch, spec)
            if self.weights is not None:
                load_trained(module, self.weights, space.to_text(arch))
            return module
        from gennas.training.supernet.files import load_supernet

        supernet = load_supernet(self.inherit, self.space, self.task.spec)
        if (supernet.spec, supernet.space.identity) != (spec, space.identity):
            raise ConfigError(
                f"The supernet in {self.inherit} was trained for inputs {supernet.spec.input_shape} and the space "
                f"{supernet.space.identity}, expected {spec.input_shape} and {space.identity}: train at its fidelity."
            )
        return supernet.network(arch)

    def _measured(self, module: nn.Module, fidelity: Fidelity, seed: int) -> dict[str, float]:
        """Calibration and robustness, where they are asked for."""
        if not self.measure:
            return {}
        device = resolve_device(self.config.device)
        data = apply_fidelity(self.task.data, fidelity, seed).to(device)
        try:
            with cpu_threads(self.config.threads):
                return measure_network(
                    module.to(device), data, self.measure, self.measure_config, self.config.eval_batch_size
                )
        finally:
            module.to("cpu")

    def _fit(
        self, module: nn.Module, arch: Architecture, fidelity: Fidelity, seed: int, on_epoch: EpochListener | None
    ) -> TrainResult:
        """Train, from the nearest state on where states are kept."""
        trainer = Trainer(self.task, replace(self.config, **self.space.hyperparameters(arch)))
        if not self.store:
            return trainer.fit(module, fidelity, seed, on_epoch=on_epoch)
        epochs = fidelity.epochs or self.config.epochs
        found, place = (find(arch.key, fidelity, epochs, seed) for find in (self.store.nearest, self.store.place))
        result = trainer.fit(module, fidelity, seed, resume_from=found, save_to=place, on_epoch=on_epoch)
        self.store.trim()
        return result


def _complexity(module: nn.Module, inputs: Any) -> dict[str, float]:
    counted = count_flops(module, inputs)
    return {"params": float(counted.params), "params_m": counted.params / 1e6, "flops": float(counted.flops)}


def _speed_metrics(epochs: int) -> dict[str, Metric]:
    metrics = [
        Metric("sotl", "min", "nats", "sum of the training losses of all epochs", (0.0, math.inf)),
        Metric("sotl_e", "min", "nats", f"sum of the training losses of the last {epochs} epochs", (0.0, math.inf)),
    ]
    return {metric.name: metric for metric in metrics}


def _cost_metrics(timing: str | None) -> dict[str, Metric]:
    metrics = [
        Metric("params", "min", "", "parameters", (0.0, math.inf)),
        Metric("params_m", "min", "M", "parameters in millions", (0.0, math.inf)),
        Metric(
            "flops", "min", "MAC", "multiply-accumulates of one example (of the graph for node tasks)", (0.0, math.inf)
        ),
        Metric("train_s", "min", "s", "wall time of training and testing", (0.0, math.inf)),
    ]
    if timing is not None:
        metrics += [
            Metric("latency_ms", "min", "ms", f"median time of one forward pass, {timing}", (0.0, math.inf)),
            Metric("latency_iqr_ms", "min", "ms", f"interquartile range of that time, {timing}", (0.0, math.inf)),
        ]
    return {metric.name: metric for metric in metrics}


def _weights_digest(path: Path) -> str:
    """Sixteen hexadecimal digits of a file of weights.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    except OSError as error:
        raise CheckpointError(f"Expected weights in {path}, got: {reason_of(error)}.") from error


def _check_settings(space: Space, config: TrainConfig) -> None:
    """Refuse settings of a space that the recipe does not have, or that are out of range."""
    for name, values in space.settings.items():
        if name not in _SEARCHABLE:
            near = difflib.get_close_matches(name, _SEARCHABLE, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"Space {space.name!r}: no setting {shown(name)} of the training recipe can be searched.{hint} "
                f"Expected one of {', '.join(_SEARCHABLE)}."
            )
        for value in values:
            reconfigured(f"the training recipe (space {space.name!r})", config, {name: value})


_SEARCHABLE = (
    "batch_size", "optimizer", "lr", "weight_decay", "momentum", "label_smoothing", "warmup", "schedule", "grad_clip",
    "select", "crop_padding", "flip",
)  # fmt: skip


def _recipe(config: TrainConfig, space: Space) -> str:
    """The recipe, and what architectures bring themselves."""
    values = config.to_dict()
    del values["device"]
    if values["schedule_epochs"] is None:  # it came later: earlier protocols keep their name
        del values["schedule_epochs"]
    own = f"; per architecture: {', '.join(space.settings)}" if space.settings else ""
    return ", ".join(f"{name}={value}" for name, value in values.items() if name not in space.settings) + own
