"""Equal-budget comparison of strategies over seeds: every method, every label counted alike."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

import gennas
from gennas.errors import ConfigError, GennasError
from gennas.execution.parent import exit_with
from gennas.runtime.files import exists, write_atomically
from gennas.search import Objectives, Trial
from gennas.search.hypervolume import FloatArray, Scale, hypervolume, hypervolume_curve, signed_values
from gennas.workbench.compare_files import track, write
from gennas.workbench.compare_jobs import Job, jobs_of, notes_of
from gennas.workbench.config import CompareConfig, ProblemConfig, load_yaml
from gennas.workbench.known import try_one
from gennas.workbench.problem import Problem, make_problem
from gennas.workbench.run import run_search

if TYPE_CHECKING:
    import pandas as pd

    from gennas.report import Comparison
    from gennas.report.statistics import Measure

__all__ = ["CurvePoint", "compare", "hypervolumes", "incumbent_curve", "run_comparison", "summarize"]


@dataclass(frozen=True)
class CurvePoint:
    """The incumbent after ``n_evals`` evaluations: its objective, and the value merely reported for it.

    ``seconds`` is what these evaluations took, summed over trials.
    """

    n_evals: int
    objective: float
    report: float
    seconds: float = math.nan


def incumbent_curve(trials: Sequence[Trial], objectives: Objectives, report: str | None) -> list[CurvePoint]:
    """One point whenever the incumbent changes, and one at the end; empty if nothing was feasible."""
    goal, points, seconds = objectives.primary, list[CurvePoint](), 0.0
    for n_evals, trial in enumerate(trials, start=1):
        seconds += trial.cost.get("seconds", math.nan)
        if not objectives.is_feasible(trial):
            continue
        value = trial.metrics[goal.metric]
        if not points or goal.signed(value) > goal.signed(points[-1].objective):
            points.append(CurvePoint(n_evals, value, trial.metrics[report] if report else math.nan, seconds))
    if points and points[-1].n_evals < len(trials):
        points.append(CurvePoint(len(trials), points[-1].objective, points[-1].report, seconds))
    return points


_Values = tuple[NDArray[np.int64], FloatArray]  # number of the evaluation, signed objectives, of feasible trials


@dataclass(frozen=True)
class RunEnd:
    """What a run of a comparison ended with.

    Args:
        points: its incumbents.
        wall_s: seconds on the wall.
        values: of its feasible trials.
        spent: ``cost_s``, what its trials took together, ``feature_s``, the part of features, and the number of
            ``labels_of_other_runs`` that it was given.
    """

    points: Sequence[CurvePoint]
    wall_s: float
    values: _Values
    spent: Mapping[str, float]


def compare(config: CompareConfig, on_run: Callable[[str, int, int], None] | None = None) -> pd.DataFrame:
    """The summary of :func:`run_comparison`, one row per strategy."""
    return run_comparison(config, on_run).summary


def run_comparison(
    config: CompareConfig,
    on_run: Callable[[str, int, int], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Comparison:
    """Run every strategy with every seed and write tables, statistics, figures and a page.

    Every run is an ordinary search in ``out/runs/STRATEGY-SEED``, so an interrupted comparison
    continues where it stopped. What is written: ``curves.csv``, ``summary.csv``, ``statistics.csv`` and ``tests.csv``
    (see :mod:`gennas.report.statistics`), ``summary.md`` and ``summary.tex``, ``curves`` as PNG, SVG and PDF, and
    ``report.html``. Where evaluations take time ``curves_seconds`` are curves over the seconds they took.

    With several objectives ``hypervolume.csv`` holds the hypervolume after
    every evaluation that raised it: objectives run from 0, the worst feasible value, to 1, the best one,
    of the table, or of all runs together where there is no table; with a table it is divided by what
    the table's own Pareto front has. Where a member of the front is worst in an objective, 0 lies a tenth of the range
    beyond the worst values; objectives that never differ are left out, with a note (see :class:`Scale`).

    A strategy that has options which suit the budget better than its defaults (:meth:`Strategy.for_budget`) gets
    them where the user left them open and no run was begun with others.

    Args:
        config: the settings.
        on_run: called as ``on_run(strategy, seed, runs_done)`` when a run is finished.
        on_note: called before the first run with what a person should know of a strategy at this budget.

    Raises:
        GennasError: bad settings; nothing is written then. Or no run found anything feasible.
    """
    import pandas as pd

    from gennas.report import Comparison
    from gennas.report.statistics import describe, significance

    jobs = list(jobs_of(config))
    problem = _problem(jobs[0].common)
    if config.stop_at_optimum:
        if problem.optimum is None:
            raise ConfigError("--stop-at-optimum needs a table and a single objective.")
        jobs = [replace(job, search=replace(job.search, target=problem.optimum)) for job in jobs]
    is_new = not exists(config.out / "compare.yaml")
    notes = notes_of(config, jobs, problem, is_new)  # fails before the first run, not after an hour
    if is_new:
        try_one(problem, jobs[0].search)
    _claim(config)
    ended = [f"A run also ends when its trials have spent {k}={most:g} together." for k, most in config.limit.items()]
    said = [*problem.notes, *ended, *(note for found in notes.values() for note in found)]
    for note in said:
        if on_note is not None:
            on_note(note)
    rows: list[tuple[Any, ...]] = []
    ends: dict[tuple[str, int], RunEnd] = {}
    for job, end in _run_all(jobs, config.workers):
        rows += [(job.strategy, job.seed, p.n_evals, p.objective, p.report, p.seconds) for p in end.points]
        ends[job.strategy, job.seed] = end
        if on_run is not None:
            on_run(job.strategy, job.seed, len(ends))
    fronts = {run: end.values for run, end in ends.items()}
    if not rows:
        raise GennasError("No run found a feasible architecture; loosen the constraints or raise the budget.")
    curves = pd.DataFrame(rows, columns=["strategy", "seed", "n_evals", "objective", "report", "seconds"])
    names = list(dict.fromkeys(job.strategy for job in jobs))
    curves["strategy"] = pd.Categorical(curves["strategy"], names)
    curves = curves.sort_values(["strategy", "seed", "n_evals"])
    summary, volumes = summarize(curves, problem, ends), None
    if len(problem.objectives.objectives) > 1:
        volumes = hypervolumes(fronts, problem)
        for note in _constant(fronts, problem):
            said.append(note)
            if on_note is not None:
                on_note(note)
        last = volumes.groupby(["strategy", "seed"])["hypervolume"].last().groupby("strategy")
        volumes["strategy"] = pd.Categorical(volumes["strategy"], names)
        volumes = volumes.sort_values(["strategy", "seed", "n_evals"])
        summary.insert(3, "hypervolume_mean", summary["strategy"].map(last.mean()))
        summary.insert(4, "hypervolume_std", summary["strategy"].map(last.std(ddof=1)).fillna(0.0))
    if any(notes.values()):
        summary["note"] = [" ".join(notes[name]) for name in summary["strategy"]]
    measures = _measures(curves, volumes, problem, config, names)
    tests, metrics, space = significance(measures), problem.evaluator.metrics, problem.space.name
    comparison = Comparison(
        title=problem.source if problem.source.startswith(space) else f"{space} · {problem.source}",
        objective=problem.objectives.primary,
        budget=config.budget,
        seeds=config.seeds,
        summary=summary,
        curves=curves,
        statistics=describe(measures),
        tests=tests,
        findings=_findings(measures, tests, config.budget),
        notes=said,
        optimum=problem.optimum,
        report=problem.report or "",
        report_direction=metrics[problem.report].direction if problem.report else "max",
        volumes=volumes,
        charged=problem.table is None and bool((curves["seconds"] > 0).all()),
        config=config.to_dict(),
        version=gennas.__version__,
    )
    figures = write(config.out, comparison)
    return replace(comparison, tracked=track(config, jobs[0].search, comparison, figures))


def _findings(measures: Sequence[Measure], tests: pd.DataFrame, budget: int) -> list[str]:
    """What the tests say, a sentence or two for each measure."""
    from gennas.report.statistics import sentence

    found = []
    for measure in measures:
        if measure.name == "evaluations" and bool((measure.values > budget).all(axis=None)):
            found.append(f"No run found the table's optimum within {budget} evaluations.")
        elif text := sentence(measure, tests):
            found.append(text)
    return found


def _measures(
    curves: pd.DataFrame, volumes: pd.DataFrame | None, problem: Problem, config: CompareConfig, names: Sequence[str]
) -> list[Measure]:
    """What every run ended with: the incumbent's objective, the hypervolume, the evaluations to the optimum."""
    from gennas.report.statistics import Measure

    def table(values: pd.Series[Any]) -> pd.DataFrame:
        return values.unstack("strategy").reindex(index=range(config.seeds), columns=list(names))

    goal = problem.objectives.primary
    kinds = curves.astype({"strategy": str})
    last = kinds.groupby(["strategy", "seed"])["objective"].last()
    found = [Measure(goal.metric, table(last), goal.direction, f"Best {goal.metric}")]
    if volumes is not None:
        last = volumes.astype({"strategy": str}).groupby(["strategy", "seed"])["hypervolume"].last()
        found.append(Measure("hypervolume", table(last), "max", "Hypervolume"))
    if problem.optimum is not None:
        reached = kinds[np.isclose(kinds["objective"], problem.optimum, rtol=0, atol=1e-12)]
        spent = table(reached.groupby(["strategy", "seed"])["n_evals"].first())
        miss = config.budget + 1
        about = f"Evaluations to the optimum (a miss counts as {miss})"
        found.append(Measure("evaluations", spent.fillna(miss).astype(float), "min", about))
    return found


def hypervolumes(fronts: Mapping[tuple[str, int], _Values], problem: Problem) -> pd.DataFrame:
    """Hypervolume by ``strategy``, ``seed`` and ``n_evals``, a row per rise; see :func:`compare` for its scale."""
    import pandas as pd

    known = problem.objective_values
    scale = Scale.of(_scaled_by(fronts, problem))
    whole = 1.0 if known is None else hypervolume(scale(known))
    rows = []
    for (strategy, seed), (n_evals, values) in fronts.items():
        curve = hypervolume_curve(scale(values)) / whole
        rises = np.flatnonzero(np.diff(curve, prepend=0.0) > 0)
        rows += [(strategy, seed, int(n_evals[i]), float(curve[i])) for i in rises] or [(strategy, seed, 1, 0.0)]
    return pd.DataFrame(rows, columns=["strategy", "seed", "n_evals", "hypervolume"])


def _scaled_by(fronts: Mapping[tuple[str, int], _Values], problem: Problem) -> NDArray[np.float64]:
    """What the hypervolume's scale is taken from: the table's rows, or everything that the runs found."""
    known = problem.objective_values
    return np.concatenate([values for _, values in fronts.values()]) if known is None else known


def _constant(fronts: Mapping[tuple[str, int], _Values], problem: Problem) -> list[str]:
    """A sentence on objectives that have one value only."""
    differs = Scale.of(_scaled_by(fronts, problem)).differs
    names = [o.metric for o, d in zip(problem.objectives.objectives, differs, strict=True) if not d]
    return [f"The hypervolume leaves out {', '.join(names)}: it never differs."] if names else []


def _claim(config: CompareConfig) -> None:
    """Remember the settings; refuse a directory that holds another comparison."""
    path = config.out / "compare.yaml"
    try:
        if path.exists():
            values = load_yaml(path)
            values.pop("version", None)
            # More strategies or seeds is a continuation, as more budget is.
            config.refuse_other(CompareConfig.from_dict(values), path, "comparison", free=("strategies", "seeds"))
        write_atomically(path, yaml.safe_dump(config.to_dict(), sort_keys=False))
    except OSError as error:
        raise ConfigError(f"Cannot write to {config.out}: {error.strerror}.") from error


def _run_all(jobs: Sequence[Job], workers: int) -> Iterable[tuple[Job, RunEnd]]:
    if workers == 1:
        for job in jobs:
            yield job, _run_job(job)
        return
    start = partial(_start_worker, os.getpid())
    with ProcessPoolExecutor(workers, mp_context=mp.get_context("spawn"), initializer=start) as pool:
        futures = {pool.submit(_run_job, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:  # an interruption: nobody waits for the searches that run
            for child in mp.active_children():
                child.kill()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(driver: int) -> None:
    """Side-by-side searches share the cores, one thread each, and end with the process that started them."""
    import torch

    exit_with(driver)
    torch.set_num_threads(1)


@lru_cache(maxsize=1)
def _problem(config: ProblemConfig) -> Problem:
    """The problem that all runs share, made once in every process."""
    return make_problem(config)


def _run_job(job: Job) -> RunEnd:
    run = run_search(job.search, report=False, problem=_problem(job.common))
    trials = run.result.trials[: job.search.budget]  # the run may have had more before
    points = incumbent_curve(trials, run.problem.objectives, run.problem.report)
    spent = {
        "cost_s": sum(t.cost.get("seconds", 0.0) for t in trials),
        "feature_s": sum(t.cost.get("feature_seconds", 0.0) for t in trials),
        "labels_of_other_runs": float(sum(run.other_labels.values())),
    }
    return RunEnd(points, run.result.wall_s, signed_values(trials, run.problem.objectives), spent)


def summarize(curves: pd.DataFrame, problem: Problem, ends: Mapping[tuple[str, int], RunEnd]) -> pd.DataFrame:
    """One row per strategy: final values over seeds, and how often and when the optimum was found.

    Columns: ``strategy, seeds, feasible_share, objective_mean, objective_std, objective_median,
    report_mean, report_std, report_median, optimum_share, evals_to_optimum_mean,
    evals_to_optimum_median, wall_s``, and ``supernet_s`` where a supernet scores: the seconds of its training, with
    which every run is charged beside its evaluations. Values are taken over the seeds that found anything feasible
    (see ``feasible_share``), evaluations to the optimum over those that found it (``optimum_share``). Where some
    strategy was told more than labels, ``cost_s, feature_s`` and ``labels_of_other_runs`` of each are there, too, means
    over seeds.
    """
    import pandas as pd

    rows = []
    told = any(end.spent[name] for end in ends.values() for name in ("feature_s", "labels_of_other_runs"))
    for strategy in dict.fromkeys(name for name, _ in ends):
        group = curves[curves["strategy"] == strategy]
        last = group.groupby("seed").last()
        own = [end for (name, _), end in ends.items() if name == strategy]
        runs = len(own)
        row: dict[str, Any] = {"strategy": strategy, "seeds": runs, "feasible_share": len(last) / runs}
        for column in ("objective", "report"):
            row[f"{column}_mean"] = last[column].mean()
            row[f"{column}_std"] = last[column].std(ddof=1) if len(last) > 1 else 0.0
            row[f"{column}_median"] = last[column].median()
        if problem.optimum is not None:
            at_optimum = group[np.isclose(group["objective"], problem.optimum, rtol=0, atol=1e-12)]
            first = at_optimum.groupby("seed")["n_evals"].first()
            row["optimum_share"] = len(first) / runs
            row["evals_to_optimum_mean"] = first.mean()
            row["evals_to_optimum_median"] = first.median()
        if told:
            row |= {name: float(np.mean([end.spent[name] for end in own])) for name in own[0].spent}
        if problem.upfront:
            row["supernet_s"] = problem.upfront.get("supernet_seconds", 0.0)
        row["wall_s"] = float(np.mean([end.wall_s for end in own]))
        rows.append(row)
    return pd.DataFrame(rows)
