"""From settings to a problem: a space, what scores it, and what is wanted."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, UnknownNameError, reason_of, shown
from gennas.eval.base import CheapEvaluator, Evaluator, Fidelity, Metric
from gennas.eval.derived import DerivedEvaluator, read_goal
from gennas.eval.naming import unquoted
from gennas.eval.stopping import EarlyStopping, StoppableEvaluator
from gennas.graph import Architecture, Population
from gennas.registry import configured
from gennas.runtime.reading import MIB, read_bounded
from gennas.search import Constraint, Objective, Objectives
from gennas.search.screen import Screen
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import COSTS
from gennas.spaces import Space, make_space
from gennas.spaces.weighted import weighted
from gennas.spaces.within import within
from gennas.workbench.config import ProblemConfig
from gennas.workbench.evaluators import RecordedEvaluator, score_with
from gennas.workbench.settings import Options, SpaceSettings, reference

if TYPE_CHECKING:
    from gennas.eval.tables import Table
    from gennas.training import Task

__all__ = ["Problem", "load_architecture", "make_problem", "make_strategy", "space_from", "task_name"]


@dataclass(frozen=True)
class Problem:
    """A space, what scores its architectures, and what is wanted."""

    space: Space
    evaluator: Evaluator
    objectives: Objectives
    report: str | None
    fidelity: Fidelity
    source: str
    """Where scores come from, for a person: the table's name, or what is trained or computed."""
    table: Table | None = None
    cheap: tuple[str, ...] = ()
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    stopping: EarlyStopping | None = None
    prior: NDArray[np.float64] | None = None
    """Weights of labels, ``(d, L)``, by which random architectures are drawn; None: uniformly."""

    task: Task | None = None
    """What is trained for, or what proxies and an evaluator of the user's are given; None where there is none."""

    @property
    def measured_by(self) -> Evaluator:
        """What evaluates, without the sums that are added to its metrics."""
        return self.evaluator.base if isinstance(self.evaluator, DerivedEvaluator) else self.evaluator

    @property
    def upfront(self) -> Mapping[str, float]:
        """What was spent before the search and is charged to it, such as ``supernet_seconds``."""
        found: Mapping[str, float] = getattr(self.measured_by, "upfront", {})
        return found

    @cached_property
    def searched(self) -> Space:
        """What strategies propose from: the rows of a table that does not cover the space, else the space."""
        if self._rows is not None:
            return within(self.space, self._rows, self.prior)
        return self.space if self.prior is None else weighted(self.space, self.prior)

    @property
    def _rows(self) -> Population | None:
        """The architectures of a table that does not cover the space; None without one."""
        table = self.table
        return None if table is None or (table.coverage or 0.0) >= 1 else table.archs

    @property
    def notes(self) -> list[str]:
        """What a person should know before anything is evaluated."""
        table, found = self.table, list[str]()
        for name in self.objectives.metric_names:
            if "test" in re.split(r"[^a-z]+", name.lower()):
                found.append(f"{name} is of the test split and is optimised: what is found looks better than it is.")
        if seconds := self.upfront.get("supernet_seconds"):
            found.append(f"Every search is charged with {seconds:.1f} s, which the training of the supernet took.")
        if table is None:
            return found
        found += table.notes
        if self._rows is not None:
            of = "" if table.coverage is None else f", {table.coverage:.2%} of the space"
            found.append(f"{table.name} holds {len(table):,} architectures{of}: the search stays among them.")
        return found

    @cached_property
    def optimum(self) -> float | None:
        """Best value of the single objective over the table's feasible architectures, where there is a table."""
        if self.table is None or len(self.objectives.objectives) > 1:
            return None
        goal, values = self.objectives.primary, self.objective_values
        if goal.metric in self.table.columns:
            return self.table.optimum(goal.metric, goal.direction, self.feasible_rows)[0]
        return goal.signed(float(values.max())) if values is not None and len(values) else None

    @property
    def objective_values(self) -> NDArray[np.float64] | None:
        """The objectives of the table's feasible architectures, more is better, ``(rows, m)``; None without a table."""
        if self.table is None:
            return None
        columns: dict[str, NDArray[np.float64]] = dict(self.table.columns)
        if isinstance(self.evaluator, DerivedEvaluator):
            columns |= {s.name: s(columns) for s in self.evaluator.sums}
        goals = self.objectives.objectives
        columns = {o.metric: o.signed(1.0) * columns[o.metric][self.feasible_rows] for o in goals}
        values: NDArray[np.float64] = np.stack(list(columns.values()), axis=1)
        return values

    @property
    def feasible_rows(self) -> NDArray[np.bool_] | None:
        """Rows of the table that keep every constraint, ``(rows,)``; None where there is no table."""
        if self.table is None:
            return None
        columns = self.table.columns
        kept = [
            columns[c.metric] <= c.bound if c.sense == "<=" else columns[c.metric] >= c.bound
            for c in self.objectives.constraints
        ]
        rows: NDArray[np.bool_] = np.logical_and.reduce([np.ones(len(self.table), dtype=bool), *kept])
        return rows


def make_problem(config: ProblemConfig, recorded: Mapping[str, Metric] | None = None) -> Problem:
    """Build the space, the evaluator and the objectives that a configuration names.

    Args:
        config: the settings.
        recorded: metrics of a run that is only read; they stand in for what was given as an object.

    Raises:
        GennasError: an unknown name, a wrong option, an unreadable table, an impossible constraint.
    """
    space = space_from(config, task_name(config.task))
    scored = score_with(config, space, recorded)
    evaluator = scored.evaluator
    read = [read_goal(text, evaluator.metrics) for text in config.objective]
    if sums := [found for _, found in read if found is not None]:
        evaluator = DerivedEvaluator(evaluator, sums)
    metrics = evaluator.metrics
    goals = [text for text, _ in read] or _default_objective(evaluator)
    objectives = Objectives(
        tuple(Objective.parse(text, metrics) for text in goals),
        tuple(Constraint.parse(text, metrics) for text in config.constraint),
    )
    report = config.report or _default_report(metrics, objectives.primary.metric)
    report = report and unquoted(report, metrics)
    cheap = tuple(unquoted(name, metrics) for name in config.cheap)
    limits = {unquoted(name, metrics): limit for name, limit in config.limit.items()}
    if report is not None and report not in metrics:
        raise UnknownNameError("metric", report, metrics)
    for name in limits:
        if name not in COSTS and name not in metrics:
            raise UnknownNameError("limit", name, [*COSTS, *metrics])
    problem = Problem(
        space,
        evaluator,
        objectives,
        report,
        config.fidelity,
        scored.source,
        scored.table,
        cheap,
        limits,
        _stopping(config, scored.evaluator, objectives),
        task=scored.task,
    )
    _check_constraints(problem)
    _check_cheap(problem)
    return problem


def _stopping(config: ProblemConfig, evaluator: Evaluator, goals: Objectives) -> EarlyStopping | None:
    """The rule that ends trainings, if one is wished.

    Raises:
        ConfigError: nothing is trained, or something else is wanted than what trainings are judged by.
    """
    given = dict(config.early_stopping_option)
    if config.early_stopping == "none":
        if given:
            raise ConfigError("--early-stopping-option needs --early-stopping median or percentile.")
        return None
    if ("percentile" in given) != (config.early_stopping == "percentile"):
        raise ConfigError(
            "Expected --early-stopping median, or --early-stopping percentile with --early-stopping-option "
            f"percentile=25, got {config.early_stopping} with options {given}."
        )
    rule: EarlyStopping = configured("early stopping", EarlyStopping, given)
    if isinstance(evaluator, RecordedEvaluator):
        return rule
    if not isinstance(evaluator, StoppableEvaluator):
        raise ConfigError(
            "--early-stopping is for networks that are trained: drop it, or give --evaluator train with a task."
        )
    judged = f"{evaluator.stops_on}:{evaluator.metrics[evaluator.stops_on].direction}"
    if [str(goal) for goal in goals.objectives] != [judged]:
        raise ConfigError(
            f"--early-stopping judges trainings by {evaluator.stops_on} alone, but wanted is "
            f"{', '.join(map(str, goals.objectives))}: it would end what is good otherwise. Drop one of them."
        )
    return rule


def task_name(task: Any) -> str:
    """What spaces know a task by; empty where there is none."""
    return "" if task is None else task if isinstance(task, str) else str(getattr(task, "name", ""))


def _check_cheap(problem: Problem) -> None:
    """Refuse to call cheap what nobody asked for, or what the evaluator cannot tell without evaluating."""
    goals, evaluator = problem.objectives, problem.evaluator
    known = evaluator.cheap_metrics if isinstance(evaluator, CheapEvaluator) else ()
    possible = [name for name in goals.metric_names if name in known and name != goals.primary.metric]
    for metric in problem.cheap:
        if metric not in possible:
            raise ConfigError(
                f"{shown(metric)} cannot be a cheap metric: expected an objective (not the first) or constraint that "
                f"is known without an evaluation; here: {', '.join(possible) or 'none'}."
            )


def _default_objective(evaluator: Evaluator) -> tuple[str, ...]:
    """The task's primary score, or the only label there is."""
    metrics: Mapping[str, Metric] = evaluator.metrics
    primary = str(getattr(evaluator, "primary", "val_accuracy"))
    if primary in metrics:
        return (f"{primary}:{metrics[primary].direction}",)
    if len(metrics) == 1 and evaluator.cost_class == "expensive":  # a label; what is cheap is rather a cost than a goal
        return tuple(metrics)
    raise ConfigError(f"Say what to optimise with --objective METRIC:max. Metrics: {', '.join(sorted(metrics))}.")


def _default_report(metrics: Mapping[str, Metric], objective: str) -> str | None:
    """The test metric of the objective, or of a classification."""
    names = (f"test_{objective.removeprefix('val_')}", "test_accuracy")
    return next((name for name in names if name in metrics), None)


def _check_constraints(problem: Problem) -> None:
    """Refuse constraints that nothing can satisfy, as far as it can be known before searching."""
    goals = problem.objectives
    ranges = {name: m.bounds for name, m in problem.evaluator.metrics.items()}
    for constraint in goals.constraints:
        low, high = ranges[constraint.metric]
        if constraint.sense == ">=":
            low = max(low, constraint.bound)
        else:
            high = min(high, constraint.bound)
        if low > high:
            raise ConfigError(f"Impossible constraint {constraint}: {constraint.metric} cannot take such a value.")
        ranges[constraint.metric] = (low, high)
    if problem.table is not None and goals.constraints and problem.feasible_rows is not None:
        if problem.feasible_rows.any():
            return
        texts = " and ".join(str(c) for c in goals.constraints)
        raise ConfigError(f"Impossible constraint {texts}: no architecture of the table {problem.table.name} keeps it.")


def make_strategy(part: Any, options: Mapping[str, Any] | Sequence[str], problem: Problem, seed: int) -> Strategy:
    """Build a strategy by its name or import path, or from a class; one that is there already is taken as it is.

    Raises:
        ConfigError: an argument that the strategy does not take, or no strategy.
        UnknownNameError: no strategy has that name.
    """
    name, given = part if isinstance(part, str) else reference(part), Options.of(options)
    if isinstance(part, Strategy):
        if given:
            raise ConfigError(f"The strategy {name} is made already: expected no options, got {', '.join(given)}.")
        strategy = part
    else:
        factory = STRATEGIES.get(part) if isinstance(part, str) else part
        if not callable(factory):
            raise ConfigError(f"Expected a name, a class or a Strategy as strategy, got {shown(part)}.")
        strategy = configured(f"strategy {name!r}", factory, given, problem.searched, problem.objectives, seed=seed)
    if not isinstance(strategy, Strategy):
        raise ConfigError(
            f"Expected the strategy {name} to be a gennas.search.Strategy, got {type(strategy).__name__}."
        )
    if problem.cheap:
        assert isinstance(problem.evaluator, CheapEvaluator)  # checked when the problem was made
        at_once = getattr(problem.measured_by, "cheap_all", None)
        strategy.screen = Screen(
            partial(problem.evaluator.cheap, fidelity=problem.fidelity),
            problem.cheap,
            None if at_once is None else partial(at_once, fidelity=problem.fidelity),
        )
    return strategy


def space_from(config: SpaceSettings, task: str = "") -> Space:
    """The space that settings name, or the one that they hold, as a task needs it.

    Raises:
        GennasError: it cannot be made.
    """
    part = config.space
    if isinstance(part, str) and part.startswith("object:"):
        raise ConfigError(
            f"The space of this run was given as an object ({part.removeprefix('object:')}) whose class cannot be "
            "imported: define it in a file of its own and give it as file.py:Class, or as space=… in Python."
        )
    if isinstance(part, str):
        return make_space(part, **config.space_option).for_task(task)
    made = configured("the space", part, config.space_option) if callable(part) else part
    if not isinstance(made, Space):
        raise ConfigError(f"Expected a name, a class or a Space as space, got {shown(part)}.")
    if made is part and config.space_option:
        raise ConfigError(f"The space {made.name} is made already: expected no options.")
    return made.for_task(task)


def load_architecture(text: str, space: Space) -> Architecture:
    """An architecture from its text, the name of a published one, or a JSON file: its own, or a run's summary.

    Args:
        text: text, file, or ``@NAME`` of one in ``space.reference``.
        space: the space.

    Raises:
        InvalidArchitectureError: it does not parse.
        UnknownNameError: the space has no published architecture of that name.
    """
    if text.startswith("@"):
        if text[1:] not in space.reference:
            raise UnknownNameError(f"published architecture of {space.name}", text[1:], space.reference)
        return space.from_text(space.reference[text[1:]])
    path = Path(text)
    if path.suffix != ".json":
        return space.from_text(text)
    try:
        content = read_bounded(path, MIB, InvalidArchitectureError, advice="give a summary.json").decode()
        best = json.loads(content).get("best")
        text = "" if best is None else str(best["text"])
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise InvalidArchitectureError(
            f"{path}: expected a run's summary.json or an architecture's JSON ({reason_of(error)})."
        ) from error
    return Architecture.from_json(content, space.schema) if best is None else space.from_text(text)
