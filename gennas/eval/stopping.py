"""Early stopping: a training whose intermediate value is worse than former ones' at the same epoch is ended.

The median rule of Golovin et al. 2017 (Google Vizier, section 3.1.2) as Optuna's ``MedianPruner`` and
``PercentilePruner`` state it: a training is ended after an epoch if the best value that it reached so far is below the
median (a percentile) of what the finished trainings had at that very epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.base import Evaluator, Fidelity
from gennas.graph import Architecture

Direction = Literal["max", "min"]

__all__ = ["EarlyStopping", "StoppableEvaluator", "StoppedEarlyError", "falls_short", "signed"]


@dataclass(frozen=True)
class EarlyStopping:
    r"""When trainings are ended: what each must have reached by each epoch.

    With :math:`v_i(e)` the value of the finished training ``i`` at epoch ``e``, a training ends after epoch ``e`` if

    .. math:: \max_{e' \le e} v(e') < P_{100 - percentile}\{v_i(e)\}

    Trainings that were ended themselves are no ``i``: they would pull the bar down, and then up again.

    Args:
        percentile: share of trainings, in per cent and by their values, that may go on; 50 is the median rule.
        startup: trainings that must be finished before any is ended.
        warmup: epochs after which no training is ended.
        interval: epochs from one judgement to the next.

    Raises:
        ConfigError: a number out of range.

    Example:
        >>> rule = EarlyStopping(startup=3, warmup=1)
        >>> rule.bars([(0.1, 0.5), (0.2, 0.6), (0.3, 0.9)])
        (nan, 0.6)
        >>> falls_short([0.1, 0.55], (math.nan, 0.6)), falls_short([0.7, 0.55], (math.nan, 0.6))
        (True, False)
    """

    percentile: float = 50.0
    startup: int = 5
    warmup: int = 0
    interval: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise ConfigError(f"Expected a percentile between 0 and 100, got percentile={self.percentile}.")
        if self.startup < 1 or self.warmup < 0 or self.interval < 1:
            raise ConfigError(
                "Expected startup and interval of at least 1 and a warmup of at least 0, got "
                f"startup={self.startup}, warmup={self.warmup}, interval={self.interval}."
            )

    def bars(self, curves: Sequence[Sequence[float]], direction: Direction = "max") -> tuple[float, ...]:
        """What a training must have reached by each epoch, NaN where it is not judged; ``()``: nowhere.

        Args:
            curves: values of finished trainings after each epoch.
            direction: whether more or less is better; where less is, bars are of the negative values.
        """
        curves = [signed(curve, direction) for curve in curves]
        if len(curves) < self.startup:
            return ()
        return tuple(self._bar(curves, epoch) for epoch in range(1, max(map(len, curves), default=0) + 1))

    def _bar(self, curves: Sequence[Sequence[float]], epoch: int) -> float:
        values = [curve[epoch - 1] for curve in curves if len(curve) >= epoch and math.isfinite(curve[epoch - 1])]
        if epoch <= self.warmup or (epoch - self.warmup - 1) % self.interval or not values:
            return math.nan
        return float(np.percentile(values, 100 - self.percentile))


def signed(curve: Sequence[float], direction: Direction) -> list[float]:
    """A curve of which more is better: its negative where less is."""
    return [value if direction == "max" else -value for value in curve]


def falls_short(curve: Sequence[float], bars: Sequence[float]) -> bool:
    """Whether a training ends after the last epoch of a curve of which more is better; NaN or no bar ends nothing."""
    return len(curve) <= len(bars) and max(curve) < bars[len(curve) - 1]


@runtime_checkable
class StoppableEvaluator(Evaluator, Protocol):
    """An evaluator whose trainings can be ended early.

    Attributes:
        stops_on: the metric, and the curve of :class:`gennas.eval.base.Measured`, that trainings are judged by,
            in the direction of the metric.
    """

    stops_on: str

    def evaluate_until(
        self, arch: Architecture, fidelity: Fidelity, seed: int, bars: Sequence[float]
    ) -> Mapping[str, float]:
        """As ``evaluate``, unless :func:`falls_short` says after some epoch but the last that the training ends.

        Raises:
            StoppedEarlyError: it does.
        """
        ...


@dataclass(eq=False)
class StoppedEarlyError(EvaluationError):
    """A training was ended early; what was measured until then.

    Args:
        metric: that it was judged by.
        curves: what was measured after every epoch, by name.
        bar: what it should have reached by the last of them.
        epochs: that it would have had.
        cost: what was spent, beside seconds.
        direction: of the metric.
    """

    metric: str
    curves: Mapping[str, Sequence[float]]
    bar: float
    epochs: int
    cost: dict[str, float] = field(default_factory=dict)
    direction: Direction = "max"

    def __str__(self) -> str:
        curve = self.curves[self.metric]
        best, side = (max(curve), "below") if self.direction == "max" else (min(curve), "above")
        return (
            f"stopped after epoch {len(curve)} of {self.epochs}: best {self.metric} {best:.4g}, {side} the "
            f"{self.bar:.4g} that former trainings had"
        )
