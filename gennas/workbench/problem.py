"""From settings to a problem: a space, what scores it, and what is wanted."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, CheapEvaluator, Evaluator, Fidelity, Metric
from gennas.eval.derived import DerivedEvaluator, WeightedSum
from gennas.graph import Architecture
from gennas.search import Constraint, Objective, Objectives
from gennas.search.screen import Screen
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.spaces import Space, make_space
from gennas.workbench.config import ProblemConfig, parse_options

if TYPE_CHECKING:
    from gennas.eval.tables import Table
    from gennas.training import MeasureConfig, TrainConfig

__all__ = ["Problem", "load_architecture", "make_measures", "make_problem", "make_recipe", "make_strategy"]


@dataclass(frozen=True)
class Problem:
    """A space, what scores its architectures, and what is wanted."""

    space: Space
    evaluator: Evaluator
    objectives: Objectives
    report: str | None
    fidelity: Fidelity
    table: Table | None = None
    cheap: tuple[str, ...] = ()
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where scores come from, for a person: the table's name, or the evaluator's protocol up to its details."""
        return self.table.name if self.table is not None else self.evaluator.protocol.partition(";")[0] + ")"

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


def make_problem(config: ProblemConfig) -> Problem:
    """Build the space, the evaluator and the objectives that a configuration names.

    Raises:
        GennasError: an unknown name, a wrong option, an unreadable table, an impossible constraint.
    """
    space = make_space(config.space, **parse_options(config.space_option)).for_task(config.task or "")
    evaluator, table = _make_evaluator(config, space)
    sums = [found for _, found in map(_read_goal, config.objective) if found is not None]
    if sums:
        evaluator = DerivedEvaluator(evaluator, sums)
    metrics = evaluator.metrics
    goals = config.objective or _default_objective(metrics)
    objectives = Objectives(
        tuple(Objective.parse(_read_goal(text)[0], metrics) for text in goals),
        tuple(Constraint.parse(text, metrics) for text in config.constraint),
    )
    report = config.report or ("test_accuracy" if "test_accuracy" in metrics else None)
    if report is not None and report not in metrics:
        raise UnknownNameError("metric", report, metrics)
    limits = parse_limits(config.limit)
    for name in limits:
        if name != "seconds" and name not in metrics:
            raise UnknownNameError("limit", name, ["seconds", *metrics])
    problem = Problem(space, evaluator, objectives, report, _fidelity(config), table, config.cheap, limits)
    _check_constraints(problem)
    _check_cheap(problem)
    return problem


def _check_cheap(problem: Problem) -> None:
    """Refuse to call cheap what nobody asked for, or what the evaluator cannot tell without evaluating."""
    goals, evaluator = problem.objectives, problem.evaluator
    known = evaluator.cheap_metrics if isinstance(evaluator, CheapEvaluator) else ()
    possible = [name for name in goals.metric_names if name in known and name != goals.primary.metric]
    for metric in problem.cheap:
        if metric not in possible:
            raise ConfigError(
                f"{metric!r} cannot be a cheap metric: expected an objective (not the first) or constraint that is "
                f"known without an evaluation; here: {', '.join(possible) or 'none'}."
            )


def _make_evaluator(config: ProblemConfig, space: Space) -> tuple[Evaluator, Table | None]:
    if config.proxy is not None:
        _refuse_measures(config)
        from gennas.workbench.score import proxy_evaluator_for

        return proxy_evaluator_for(config, space), None
    from gennas.eval.tables import TABLES, TableEvaluator, open_table

    if config.table is not None and config.task is not None:
        raise ConfigError("Expected either --task or --table, got both; drop one.")
    named = f"{space.name}/{config.task}"
    if config.table is not None or (config.evaluator != "train" and named in TABLES):
        if _fidelity(config) != FULL_FIDELITY:
            raise ConfigError("A table has full evaluations only: drop --epochs and the other fidelity settings.")
        _refuse_measures(config)
        # Columns that are not used may hold anything; without objectives all columns are read.
        read = [_read_goal(text) for text in config.objective]
        goals = [name for text, s in read for name in (s.metrics if s else [Objective.parse(text).metric])]
        limits = [Constraint.parse(text).metric for text in config.constraint]
        spent = [name for name in parse_limits(config.limit) if name != "seconds"]
        used = [*goals, *limits, *spent, *([config.report] if config.report else [])] if goals else None
        table = open_table(config.table or named, space, metrics=used)
        return TableEvaluator(table), table
    if config.evaluator == "table":
        known = [name for name in TABLES if name.startswith(f"{space.name}/")]
        raise ConfigError(f"No table {named!r}; give --table FILE. Tables of this space: {', '.join(known) or 'none'}.")
    from gennas.training import TrainEvaluator, make_task

    options = parse_options(config.task_option)
    task = make_task(config.task or "digits", **options, **({"download": True} if config.download else {}))
    names, conditions = make_measures(config.measure, config.measure_option)
    recipe = make_recipe(task.config, config.train_option)
    evaluator = TrainEvaluator(
        space, task, recipe, measure_energy=config.energy, measure=names, measure_config=conditions
    )
    return evaluator, None


def parse_limits(pairs: Sequence[str]) -> dict[str, float]:
    """Limits of what trials may spend together, from ``NAME=VALUE``.

    Raises:
        ConfigError: a value is not a positive number.
    """
    limits: dict[str, float] = {}
    for name, value in parse_options(pairs).items():
        try:
            limits[name] = float(value)  # YAML takes 1e6 for a text
        except (TypeError, ValueError):
            limits[name] = math.nan
        if not limits[name] > 0:
            raise ConfigError(f"Expected a limit like seconds=600, a positive number, got {name}={value}.")
    return limits


def make_recipe(default: TrainConfig, options: Sequence[str]) -> TrainConfig:
    """The training recipe with some settings replaced.

    Raises:
        ConfigError: no such setting, or a value out of range.
    """
    try:
        return dataclasses.replace(default, **parse_options(options))
    except TypeError as error:
        known = ", ".join(f.name for f in dataclasses.fields(default))
        raise ConfigError(f"Training recipe: {error}. Settings: {known}.") from error


def make_measures(names: str | None, options: Sequence[str]) -> tuple[tuple[str, ...], MeasureConfig]:
    """Names of measures and their conditions, from ``--measure`` and ``--measure-option``.

    Raises:
        ConfigError: conditions without a measure, or ones that do not exist or fit.
    """
    from gennas.training import MeasureConfig

    chosen = tuple(name.strip() for name in (names or "").split(",") if name.strip())
    if options and not chosen:
        raise ConfigError("--measure-option needs --measure NAMES.")
    return chosen, MeasureConfig.of(parse_options(options))


def _refuse_measures(config: ProblemConfig) -> None:
    if config.measure is not None or config.measure_option:
        raise ConfigError("Only networks that are trained can be measured: drop --measure, or use --evaluator train.")


def _fidelity(config: ProblemConfig) -> Fidelity:
    return Fidelity(config.epochs, config.data_fraction, config.resolution, config.width, config.depth)


def _read_goal(text: str) -> tuple[str, WeightedSum | None]:
    """An objective with the name of its metric, and the sum where it is one, such as ``accuracy - 0.1 * latency_ms``.

    Raises:
        ConfigError: it looks like a sum and is none.
    """
    name, colon, direction = text.partition(":")
    if not re.search(r"[*+]| - ", name):
        return text, None
    found = WeightedSum.parse(name)
    return f"{found.name}{colon}{direction}", found


def _default_objective(metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    if "val_accuracy" not in metrics:
        raise ConfigError(f"Say what to optimise with --objective METRIC:max. Metrics: {', '.join(sorted(metrics))}.")
    return ("val_accuracy:max",)


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
        if low > high or math.isnan(constraint.bound):
            raise ConfigError(f"Impossible constraint {constraint}: {constraint.metric} cannot take such a value.")
        ranges[constraint.metric] = (low, high)
    if problem.table is not None and goals.constraints and problem.feasible_rows is not None:
        if problem.feasible_rows.any():
            return
        texts = " and ".join(str(c) for c in goals.constraints)
        raise ConfigError(f"Impossible constraint {texts}: no architecture of the table {problem.table.name} keeps it.")


def make_strategy(name: str, options: Sequence[str], problem: Problem, seed: int) -> Strategy:
    """Build a strategy by name.

    Raises:
        ConfigError: an argument that the strategy does not take.
    """
    factory = STRATEGIES.get(name)
    try:
        strategy = factory(problem.space, problem.objectives, seed=seed, **parse_options(options))
    except TypeError as error:
        raise ConfigError(f"Strategy {name!r}: {error}.") from error
    if problem.cheap:
        assert isinstance(problem.evaluator, CheapEvaluator)  # checked when the problem was made
        strategy.screen = Screen(partial(problem.evaluator.cheap, fidelity=problem.fidelity), problem.cheap)
    return strategy


def load_architecture(text: str, space: Space) -> Architecture:
    """An architecture from its text, from a run's ``summary.json`` (the best one), or from its own JSON file.

    Raises:
        InvalidArchitectureError: it does not parse.
    """
    path = Path(text)
    if path.suffix != ".json":
        return space.from_text(text)
    try:
        content = path.read_text()
        best = json.loads(content).get("best")
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidArchitectureError(
            f"{path}: expected a run's summary.json or an architecture's JSON ({error})."
        ) from error
    return Architecture.from_json(content, space.schema) if best is None else space.from_text(best["text"])
