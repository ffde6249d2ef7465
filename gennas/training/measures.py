"""Calibration and robustness of a trained network on a task, as metrics that a search can optimise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.eval.base import Direction, Metric
from gennas.eval.calibration import (
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from gennas.eval.robustness import (
    CORRUPTIONS,
    SEVERITIES,
    Attack,
    attack_accuracy,
    corruption_accuracies,
    fgsm,
    mean_corruption_accuracy,
    pgd,
)
from gennas.registry import configured
from gennas.spaces.spec import Kind
from gennas.training.data import ImageData, TaskData
from gennas.training.kinds import KIND_RULES, Targets

__all__ = [
    "MEASURES",
    "Measure",
    "MeasureConfig",
    "Subject",
    "check_measures",
    "measure_metrics",
    "measure_network",
    "measure_protocol",
]

Half = Literal["validation", "test"]


@dataclass(frozen=True)
class MeasureConfig:
    """Conditions of the measures; they are part of the protocol.

    Args:
        epsilon: largest change of a pixel in an attack. Pixels run from 0 to 1: the smallest and the largest value
            of the task's training images. A network that was not trained against attacks has little accuracy left
            at 8/255 of CIFAR-10, and hardly loses any at 1/255 of the digits: choose it where networks differ.
        steps: gradient steps of PGD.
        bins: of the calibration errors.
        corruptions: names; the accuracy is averaged over them.
        severities: 1 to 5; the accuracy is averaged over them.
        examples: how many examples of each part are measured, a fixed random choice; None for all.
        seed: of that choice, of random starts and of noise: the same for every network.

    Raises:
        ConfigError: a number is out of range.
        UnknownNameError: no such corruption.
    """

    epsilon: float = 1 / 255
    steps: int = 10
    bins: int = 15
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = SEVERITIES
    examples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.corruptions:
            if name not in CORRUPTIONS:
                raise UnknownNameError("corruption", name, CORRUPTIONS)
        checks = {
            "epsilon": self.epsilon >= 0,
            "steps": self.steps >= 1,
            "bins": self.bins >= 1,
            "corruptions": bool(self.corruptions),
            "severities": bool(self.severities) and set(self.severities) <= set(SEVERITIES),
            "examples": self.examples is None or self.examples >= 1,
        }
        wrong = [f"{name}={shown(getattr(self, name))}" for name, ok in checks.items() if not ok]
        if wrong:
            raise ConfigError(f"Measures out of range: {', '.join(wrong)}; see MeasureConfig for the ranges.")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> MeasureConfig:
        """Make it of plain values; ``epsilon`` may be a fraction such as ``8/255``, lists stand for tuples.

        Raises:
            ConfigError: no such setting, or a value that does not fit.

        Example:
            >>> MeasureConfig.of({"epsilon": "2/255", "severities": [1, 5]}).epsilon * 255
            2.0
        """
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        if isinstance(plain.get("epsilon"), str):
            plain["epsilon"] = _number(plain["epsilon"])
        made: MeasureConfig = configured("the measures", cls, plain)
        return made


def _number(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"Expected epsilon as a number or a fraction such as 8/255, got {shown(text)}.") from error


class Subject:
    """One trained network and the examples of one part that it is measured on.

    Args:
        module: the network, in evaluation mode.
        data: the task's data, on the network's device.
        part: what is measured.
        config: the conditions.
        batch_size: examples per step.
    """

    def __init__(self, module: nn.Module, data: TaskData, part: Half, config: MeasureConfig, batch_size: int) -> None:
        self.module, self.config, self.batch_size = module, config, batch_size
        self.data, self.part = data.choose(part, _chosen(data, part, config)), part

    @property
    def labels(self) -> Tensor:
        """Labels, ``(n,)``."""
        return self.data.labels(self.part)

    @cached_property
    def logits(self) -> Tensor:
        """Logits in single precision, ``(n, classes)``."""
        found = []
        with torch.no_grad():
            for batch in self.data.batches(self.part, self.batch_size):
                output = self.module(*batch.inputs).float()
                found.append(output if batch.rows is None else output[batch.rows])
        return torch.cat(found)

    @property
    def probabilities(self) -> Tensor:
        """Probabilities, ``(n, classes)``."""
        return self.logits.softmax(1)

    @property
    def images(self) -> Tensor:
        """Images that are not normalised, ``(n, c, h, w)``."""
        assert isinstance(self.data, ImageData)  # checked when the measures were chosen
        return self.data.x[self.part].float()

    @property
    def value_range(self) -> tuple[float, float]:
        """What pixels can be."""
        assert isinstance(self.data, ImageData)  # checked when the measures were chosen
        return self.data.value_range

    def network(self, images: Tensor) -> Tensor:
        """Logits of images that are not normalised."""
        assert isinstance(self.data, ImageData)  # checked when the measures were chosen
        logits: Tensor = self.module(self.data.normalise(images)).float()
        return logits

    def accuracy_under(self, attack: Attack) -> float:
        """Share of images that an attack leaves classified correctly."""
        return attack_accuracy(self.network, self.images, self.labels, attack, self.batch_size)


@dataclass(frozen=True)
class Measure:
    """A quantity that networks are measured by.

    Args:
        metric: its name after ``val_`` or ``test_``.
        direction: which way is better.
        description: what it is.
        compute: from the subject and the same network on validation data.
        unit: of the value.
        upper: largest value that it can take; the smallest is 0.
        needs_images: whether it is defined for images alone.
    """

    metric: str
    direction: Direction
    description: str
    compute: Callable[[Subject, Subject], float]
    unit: str = "fraction"
    upper: float = 1.0
    needs_images: bool = False


def _fgsm(subject: Subject, _: Subject) -> float:
    return subject.accuracy_under(partial(fgsm, epsilon=subject.config.epsilon, value_range=subject.value_range))


def _pgd(subject: Subject, _: Subject) -> float:
    config = subject.config
    generator = torch.Generator().manual_seed(config.seed)
    settings: dict[str, Any] = {"epsilon": config.epsilon, "steps": config.steps, "generator": generator}
    return subject.accuracy_under(partial(pgd, value_range=subject.value_range, **settings))


def _corruptions(subject: Subject, _: Subject) -> float:
    accuracies = corruption_accuracies(
        subject.network,
        subject.images,
        subject.labels,
        names=subject.config.corruptions,
        severities=subject.config.severities,
        seed=subject.config.seed,
        value_range=subject.value_range,
        batch_size=subject.batch_size,
    )
    return mean_corruption_accuracy(accuracies)


def _scaled_ece(subject: Subject, validation: Subject) -> float:
    temperature = fit_temperature(validation.logits, validation.labels)
    return expected_calibration_error((subject.logits / temperature).softmax(1), subject.labels, subject.config.bins)


def _ece(subject: Subject, _: Subject) -> float:
    return expected_calibration_error(subject.probabilities, subject.labels, subject.config.bins)


def _adaptive_ece(subject: Subject, _: Subject) -> float:
    return adaptive_calibration_error(subject.probabilities, subject.labels, subject.config.bins)


def _nll(subject: Subject, _: Subject) -> float:
    return negative_log_likelihood(subject.logits, subject.labels)


def _brier(subject: Subject, _: Subject) -> float:
    return brier_score(subject.probabilities, subject.labels)


MEASURES: Mapping[str, Measure] = {
    "ece": Measure("ece", "min", "expected calibration error", _ece),
    "adaptive_ece": Measure("adaptive_ece", "min", "calibration error, equally many examples per bin", _adaptive_ece),
    "scaled_ece": Measure("scaled_ece", "min", "calibration error after temperature scaling", _scaled_ece),
    "nll": Measure("nll", "min", "negative log-likelihood", _nll, "nats", math.inf),
    "brier": Measure("brier", "min", "Brier score over all classes", _brier, "", 2.0),
    "fgsm": Measure("fgsm_accuracy", "max", "accuracy under FGSM", _fgsm, needs_images=True),
    "pgd": Measure("pgd_accuracy", "max", "accuracy under PGD", _pgd, needs_images=True),
    "corruptions": Measure("corruption_accuracy", "max", "mean accuracy, corrupted", _corruptions, needs_images=True),
}
"""What ``TrainEvaluator(measure=…)`` and ``--measure`` can name."""


def check_measures(names: Sequence[str], kind: Kind, targets: Targets = "classes") -> None:
    """Refuse measures that do not exist, or that a task has no meaning for.

    Raises:
        UnknownNameError: no such measure.
        ConfigError: attacks or corruptions of something else than images, probabilities where an example has not one
            class, or a measure named twice.
    """
    for name in names:
        if name not in MEASURES:
            raise UnknownNameError("measure", name, MEASURES)
        if MEASURES[name].needs_images and kind != "image":
            raise ConfigError(
                f"Measure {shown(name)} is defined for images, the task's kind is {shown(kind)}; drop it."
            )
        if targets == "numbers" or not KIND_RULES[kind].one_label:
            what = "numbers" if targets == "numbers" else f"of kind {shown(kind)}"
            raise ConfigError(f"Measure {shown(name)} needs one class per example, not targets {what}; drop it.")
    if len(set(names)) != len(names):
        raise ConfigError(f"Expected different measures, got {', '.join(names)}.")


def measure_metrics(names: Sequence[str]) -> dict[str, Metric]:
    """The metrics that measures give: ``val_…`` for the search, ``test_…`` to report, and the time they take."""
    if not names:
        return {}
    found = [Metric("measure_s", "min", "s", "wall time of the measures", (0.0, math.inf))]
    for prefix, part in (("val", "validation"), ("test", "test")):
        for m in (MEASURES[name] for name in names):
            description = f"{m.description}, {part} examples"
            found.append(Metric(f"{prefix}_{m.metric}", m.direction, m.unit, description, (0.0, m.upper)))
    return {metric.name: metric for metric in found}


def measure_protocol(names: Sequence[str], config: MeasureConfig) -> str:
    """Identity of what is measured and how."""
    return ", ".join([*names, *(f"{name}={value}" for name, value in asdict(config).items())])


def measure_network(
    module: nn.Module, data: TaskData, names: Sequence[str], config: MeasureConfig, batch_size: int = 512
) -> dict[str, float]:
    """Measure a trained network on validation and test data, in single precision and evaluation mode.

    The network, its mode, its gradients and the global random state stay as they are.

    Args:
        module: the network, on the device of ``data``.
        data: the task's data, at the fidelity of the training.
        names: of :data:`MEASURES`.
        config: the conditions.
        batch_size: examples per step.

    Raises:
        EvaluationError: the network's outputs are not finite logits.

    Example:
        >>> from gennas.training import make_task
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        >>> values = measure_network(network, make_task("digits").data, ["ece", "fgsm"], MeasureConfig())
        >>> sorted(values)
        ['measure_s', 'test_ece', 'test_fgsm_accuracy', 'val_ece', 'val_fgsm_accuracy']
    """
    if not names:
        return {}
    start = time.perf_counter()
    with _evaluating(module):
        validation, test = (Subject(module, data, part, config, batch_size) for part in ("validation", "test"))
        values = {
            f"{prefix}_{MEASURES[name].metric}": MEASURES[name].compute(subject, validation)
            for prefix, subject in (("val", validation), ("test", test))
            for name in names
        }
    return {**values, "measure_s": time.perf_counter() - start}


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for m, mode in modes.items():
            m.training = mode


def _chosen(data: TaskData, part: Half, config: MeasureConfig) -> Tensor:
    """Indices of the examples that are measured, ascending."""
    count = len(data.labels(part))
    if config.examples is None or config.examples >= count:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(config.seed))[: config.examples].sort().values
