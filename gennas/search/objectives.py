"""Objectives with direction and bounds, and what "better" means under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, UnknownNameError, reason_of, shown
from gennas.eval.base import Direction, Metric
from gennas.eval.naming import split_last

if TYPE_CHECKING:
    from gennas.search.trial import Trial

__all__ = ["Constraint", "Objective", "Objectives", "front_index"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """A metric to be maximised or minimised."""

    metric: str
    direction: Direction = "max"

    @classmethod
    def parse(cls, text: str, metrics: Mapping[str, Metric] | None = None) -> Objective:
        """Read ``metric`` or ``metric:max`` / ``metric:min``; a missing direction is the metric's own.

        A name may hold anything: one that exists wins, else the last colon splits; see :mod:`gennas.eval.naming`.

        Raises:
            ConfigError: the direction is neither ``max`` nor ``min``.
            UnknownNameError: ``metrics`` is given and does not hold the metric.
        """
        name, _, direction = split_last(text, ":", metrics or ())
        if metrics is not None and name not in metrics:
            raise UnknownNameError("metric", name, metrics)
        direction = direction or (metrics[name].direction if metrics else "max")
        if direction not in ("max", "min"):
            raise ConfigError(f"Expected 'METRIC:max' or 'METRIC:min', got {shown(text)}.")
        return cls(name, "max" if direction == "max" else "min")

    def __str__(self) -> str:
        return f"{self.metric}:{self.direction}"

    def signed(self, value: float) -> float:
        """``value`` turned so that more is better."""
        return value if self.direction == "max" else -value


@dataclass(frozen=True)
class Constraint:
    """A bound that a metric must keep, such as ``latency_ms<=5``."""

    metric: str
    sense: str
    bound: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.bound):
            raise ConfigError(f"Expected a finite bound of {self.metric}, got {self.metric}{self.sense}{self.bound}.")

    @classmethod
    def parse(cls, text: str, metrics: Mapping[str, Metric] | None = None) -> Constraint:
        """Read ``metric<=number`` or ``metric>=number``; the last comparison splits, so that names may hold anything.

        Raises:
            ConfigError: the text has another form.
            UnknownNameError: ``metrics`` is given and does not hold the metric.
        """
        name, sense, number = split_last(text, "<=|>=")
        try:
            if not name or not sense:
                raise ValueError("no '<=' or '>='")
            bound = float(number)
        except ValueError as error:
            raise ConfigError(
                f"Expected a constraint like 'latency_ms<=5', got {shown(text)} ({reason_of(error, 100)})."
            ) from error
        if metrics is not None and name not in metrics:
            raise UnknownNameError("metric", name, metrics)
        return cls(name, sense, bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.sense}{self.bound:g}"

    def violation(self, value: float) -> float:
        """By how much ``value`` breaks the bound, 0 if it does not, relative to the bound's size."""
        return float(self.violations(np.array(value, dtype=np.float64)))

    def violations(self, values: FloatArray) -> FloatArray:
        """:meth:`violation` of each value; 0 of what is no number."""
        excess = values - self.bound if self.sense == "<=" else self.bound - values
        broken: FloatArray = np.fmax(0.0, excess) / max(abs(self.bound), 1e-12)
        return broken


@dataclass(frozen=True)
class Objectives:
    """What a search optimises: one or several objectives under constraints."""

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        names = [o.metric for o in self.objectives]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"Expected one or more different objectives, got {names}.")

    @property
    def primary(self) -> Objective:
        """The first objective: what curves show and what breaks ties."""
        return self.objectives[0]

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric that a strategy may see."""
        return tuple(dict.fromkeys([o.metric for o in self.objectives] + [c.metric for c in self.constraints]))

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Sum of relative constraint violations; 0 means feasible."""
        return sum(c.violation(metrics[c.metric]) for c in self.constraints)

    def is_feasible(self, trial: Trial) -> bool:
        """Whether the trial succeeded and keeps every constraint."""
        return trial.ok and self.violation(trial.metrics) == 0.0

    def utilities(self, trials: Sequence[Trial]) -> FloatArray:
        """One number per trial, more is better, comparable within this call only, ``(b,)``.

        One objective: its signed value. Several: minus the non-dominated front's index, ties within
        a front broken by crowding. Infeasible trials come below all feasible ones, ordered by
        violation; failed ones last (``-inf``).
        """
        utility = np.full(len(trials), -np.inf)
        ok = [i for i, t in enumerate(trials) if t.ok]
        if not ok:
            return utility
        measured = {m: np.array([trials[i].metrics[m] for i in ok], dtype=np.float64) for m in self.metric_names}
        values = np.stack([o.signed(1.0) * measured[o.metric] for o in self.objectives], axis=1)
        violation = np.zeros(len(ok))
        for c in self.constraints:
            violation += c.violations(measured[c.metric])
        feasible = violation == 0
        score = values[:, 0] if values.shape[1] == 1 else np.zeros(len(ok))
        if values.shape[1] > 1 and feasible.any():
            score[feasible] = _pareto_score(values[feasible])
        floor = score[feasible].min() if feasible.any() else 0.0
        utility[ok] = np.where(feasible, score, floor - 1.0 - violation)
        return utility

    def pareto(self, trials: Sequence[Trial]) -> list[Trial]:
        """The feasible trials that no other feasible trial dominates, in their order."""
        candidates = [t for t in trials if self.is_feasible(t)]
        if not candidates:
            return []
        values = np.array([[o.signed(t.metrics[o.metric]) for o in self.objectives] for t in candidates])
        if values.shape[1] == 1:
            return [candidates[int(values[:, 0].argmax())]]
        return [t for t, front in zip(candidates, front_index(values), strict=True) if front == 0]

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The incumbent: the first feasible trial with the best primary objective, or None."""
        candidates = [t for t in trials if self.is_feasible(t)]
        if not candidates:
            return None
        return max(candidates, key=lambda t: self.primary.signed(t.metrics[self.primary.metric]))


def front_index(values: FloatArray) -> NDArray[np.int64]:
    """Index of the non-dominated front of each row (more is better), ``(b,)``; ranked by pymoo.

    Equal rows share a front. A row with NaN dominates nothing and nothing dominates it: front 0.
    """
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    front = np.zeros(len(values), dtype=np.int64)
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    # Only the order counts; places in it are finite, and moocore under pymoo crashes on -inf in three columns.
    places = np.stack([np.unique(-column, return_inverse=True)[1] for column in values[known].T], axis=1)
    for index, members in enumerate(NonDominatedSorting().do(places)):
        front[known[members]] = index
    return front


def _pareto_score(values: FloatArray) -> FloatArray:
    """Minus the front's index, plus a crowding bonus in [0, 0.5]."""
    front = front_index(values)
    bonus = np.zeros(len(values))
    for index in np.unique(front):
        members = np.flatnonzero(front == index)
        distance = np.zeros(len(members))
        for column in values[members].T:
            order = np.argsort(column, kind="stable")
            span = max(float(column[order[-1]] - column[order[0]]), 1e-12)
            gaps = np.full(len(members), np.inf)
            gaps[1:-1] = (column[order[2:]] - column[order[:-2]]) / span
            distance[order] += gaps
        bonus[members] = 0.5 * (1 - 1 / (1 + distance))
    return bonus - front
