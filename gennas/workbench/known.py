"""Before a search: what a person knows already, and whether space and task work at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gennas.errors import ConfigError, GennasError
from gennas.eval.base import CheckedEvaluator
from gennas.eval.tables import read_rows
from gennas.execution import describe
from gennas.graph import Architecture
from gennas.search import Origin, Search
from gennas.search.trial import WARM
from gennas.workbench.config import SearchConfig
from gennas.workbench.problem import Problem

__all__ = ["Known", "read_known", "try_one"]


@dataclass(frozen=True)
class Known:
    """What a person knows: architectures to be evaluated first, and measured ones; and the best of other runs."""

    enqueued: Sequence[Architecture] = ()
    measured: Sequence[tuple[Architecture, Mapping[str, float]]] = ()
    others: Sequence[tuple[Architecture, str]] = ()
    """With the name of the run that each comes from."""

    @property
    def keys(self) -> set[str]:
        """Of what is enqueued and measured."""
        return {arch.key for arch in self.enqueued} | {arch.key for arch, _ in self.measured}

    def add_to(self, search: Search, charged: bool) -> None:
        """Give them to a search."""
        search.ingest(self.measured, charged)
        search.enqueue(self.enqueued)
        for arch, run in self.others:
            search.enqueue([arch], Origin(WARM, details={"run": run}))


def read_known(config: SearchConfig, problem: Problem) -> Known:
    """Read the files of ``--enqueue`` and ``--ingest``.

    Raises:
        ConfigError: values that cannot be, or that contradict each other.
        TableError: a file that cannot be read.
    """
    enqueued = (
        ()
        if config.enqueue is None
        else tuple(read_rows(config.enqueue, problem.space, arch_format=config.arch_format, max_gb=config.max_gb)[0])
    )
    if config.ingest is None:
        return Known(enqueued)
    metrics = problem.evaluator.metrics
    archs, columns = read_rows(
        config.ingest, problem.space, problem.objectives.metric_names, list(metrics), config.arch_format, config.max_gb
    )
    for name, values in columns.items():
        low, high = _plausible(name, problem)
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            raise ConfigError(
                f"{config.ingest}: expected {name} between {low:g} and {high:g}, got {values[wrong[0]]:g} in row "
                f"{wrong[0] + 1}. Is it in another unit?"
            )
    rows: dict[str, tuple[int, dict[str, float]]] = {}
    for i, key in enumerate(archs.keys):
        found = {name: float(values[i]) for name, values in columns.items()}
        first, before = rows.setdefault(key, (i, found))
        if found != before:
            raise ConfigError(
                f"{config.ingest}: rows {first + 1} and {i + 1} are the same architecture with other values. Keep one, "
                "or average them."
            )
    return Known(enqueued, [(archs[i], values) for i, values in rows.values()])


def _plausible(name: str, problem: Problem) -> tuple[float, float]:
    """The values that a metric can take; beside a table, those within its range, widened by its width."""
    low, high = problem.evaluator.metrics[name].bounds
    if problem.table is None or name not in problem.table.columns:
        return low, high
    column = problem.table.columns[name]
    least, most = float(np.nanmin(column)), float(np.nanmax(column))
    return max(low, least - (most - least)), min(high, most + (most - least))


def try_one(problem: Problem, config: SearchConfig) -> None:
    """Try whether anything can be scored, so that what cannot work is said before the budget is touched.

    Of a few random architectures the one with the fewest parameters is tried first, where the space can count them,
    and others as long as they fail: a network may have no value, such as one without a path from input to output.

    Raises:
        ConfigError: none of them can be scored; it tells the reason of the last one.
    """
    if not isinstance(problem.evaluator, CheckedEvaluator):
        return
    failure = ConfigError("")
    for arch in _smallest_first(problem, config.seed)[:_TRIED]:
        try:
            problem.evaluator.check(arch, problem.fidelity)
        except Exception as error:  # the user's own code may raise anything
            reason = str(error) if isinstance(error, GennasError) else describe(error)
            failure = ConfigError(
                f"The space and the task do not work together: {problem.space.to_text(arch)} gave "
                f"{reason.rstrip('.')}. "
                "No evaluation was spent."
            )
            failure.__cause__ = error
        else:
            return
    raise failure


_TRIED = 4


def _smallest_first(problem: Problem, seed: int) -> list[Architecture]:
    archs = problem.space.sample(16, np.random.default_rng(seed))
    spec = getattr(problem.measured_by, "spec", None)
    counts = None if spec is None else problem.space.count_parameters(archs, spec)
    return list(archs if counts is None else archs[np.argsort(counts, kind="stable")])
