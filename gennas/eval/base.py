"""What an evaluator is: something that scores an architecture under a stated protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from gennas.errors import ConfigError
from gennas.graph import Architecture

__all__ = [
    "CheapEvaluator",
    "CheckedEvaluator",
    "FULL_FIDELITY",
    "Direction",
    "Evaluator",
    "Fidelity",
    "Measured",
    "Metric",
]

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Metric:
    """A measured quantity: which way is better, its unit, what it is, and the values it can take."""

    name: str
    direction: Direction
    unit: str = ""
    description: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True)
class Fidelity:
    """How much of the full evaluation is spent; every field is a fraction except ``epochs``.

    Args:
        epochs: training epochs; None for the task's default.
        data_fraction: share of the training set, in (0, 1].
        resolution: scale of image height and width, in (0, 1].
        width: scale of the network's channels, in (0, 1].
        depth: scale of the number of cells (or layers) per stage, in (0, 1].
        context: scale of the number of tokens that a network sees, in (0, 1].
    """

    epochs: int | None = None
    data_fraction: float = 1.0
    resolution: float = 1.0
    width: float = 1.0
    depth: float = 1.0
    context: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ConfigError(f"Expected at least one epoch, got epochs={self.epochs}.")
        for name in ("data_fraction", "resolution", "width", "depth", "context"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfigError(f"Expected {name} in (0, 1], got {value}.")

    def __str__(self) -> str:
        # Part of an archive's identity: depth came later and is left out at 1, so that earlier runs keep theirs.
        shown = {name: value for name, value in self.to_dict().items() if name != "depth" or value != 1}
        return f"Fidelity({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for records; context came later and is left out at 1."""
        return {name: value for name, value in asdict(self).items() if name != "context" or value != 1}


FULL_FIDELITY = Fidelity()


class Measured(dict[str, float]):
    """Values of metrics, with what was measured after every epoch on the way to them.

    Args:
        values: of the metrics.
        curves: by name, one value for each epoch.
        reasons: why a value that may be missing is NaN, by metric.

    Example:
        >>> found = Measured({"val_accuracy": 0.9}, {"val_loss": [0.7, 0.3]})
        >>> found["val_accuracy"], found.curves["val_loss"]
        (0.9, [0.7, 0.3])
    """

    def __init__(
        self,
        values: Mapping[str, float],
        curves: Mapping[str, Sequence[float]],
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(values)
        self.curves = {name: list(curve) for name, curve in curves.items()}
        self.reasons = dict(reasons or {})


@runtime_checkable
class Evaluator(Protocol):
    """Scores one architecture.

    The search loop calls :meth:`evaluate` once for every trial, possibly in another process: an
    evaluator must pickle. It raises when it cannot score; the loop records the failure. An attribute
    ``may_lack``, where there is one, names metrics that may be NaN in a trial that did not fail; one called ``imports``
    names modules that :meth:`evaluate` imports only when it is called, for executors that limit its time.

    Attributes:
        metrics: the metrics that every successful call returns.
        cost_class: ``cheap`` ones may be computed for every candidate, ``expensive`` ones are labels.
        protocol: identity of the measurement (table and columns, or task, split and recipe); values
            of different protocols are never pooled.
    """

    metrics: Mapping[str, Metric]
    cost_class: Literal["cheap", "expensive"]
    protocol: str

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Return the value of every metric; as :class:`Measured` with learning curves, where there are some.

        Raises:
            EvaluationError: the architecture cannot be scored.
        """
        ...


@runtime_checkable
class CheckedEvaluator(Evaluator, Protocol):
    """An evaluator that can tell, quickly, whether it could score anything at all."""

    def check(self, arch: Architecture, fidelity: Fidelity) -> None:
        """Try everything that an evaluation needs except for what takes long.

        Raises:
            GennasError: or any other error, of the user's own parts too.
        """
        ...


@runtime_checkable
class CheapEvaluator(Evaluator, Protocol):
    """An evaluator that knows some metrics without an evaluation, such as the number of parameters.

    Attributes:
        cheap_metrics: names of these metrics.
    """

    cheap_metrics: tuple[str, ...]

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """Return at least the cheap metrics.

        Raises:
            EvaluationError: the architecture cannot be measured.
        """
        ...
