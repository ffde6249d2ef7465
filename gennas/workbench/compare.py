"""Equal-budget comparison of strategies over seeds: every method, every label counted alike."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.execution.parent import exit_with
from gennas.runtime.files import write_atomically
from gennas.search import STRATEGIES, Objectives, Trial
from gennas.search.hypervolume import FloatArray, Scale, hypervolume, hypervolume_curve, signed_values
from gennas.workbench.config import CompareConfig, ProblemConfig, SearchConfig, load_yaml
from gennas.workbench.problem import Problem, make_problem, make_strategy
from gennas.workbench.run import run_search
from gennas.workbench.settings import Options

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CurvePoint", "compare", "hypervolumes", "incumbent_curve", "summarize"]


@dataclass(frozen=True)
class CurvePoint:
    """The incumbent after ``n_evals`` evaluations: its objective, and the value merely reported for it."""

    n_evals: int
    objective: float
    report: float


def incumbent_curve(trials: Sequence[Trial], objectives: Objectives, report: str | None) -> list[CurvePoint]:
    """One point whenever the incumbent changes, and one at the end; empty if nothing was feasible."""
    goal, points = objectives.primary, list[CurvePoint]()
    for n_evals, trial in enumerate(trials, start=1):
        if not objectives.is_feasible(trial):
            continue
        value = trial.metrics[goal.metric]
        if not points or goal.signed(value) > goal.signed(points[-1].objective):
            points.append(CurvePoint(n_evals, value, trial.metrics[report] if report else math.nan))
    if points and points[-1].n_evals < len(trials):
        points.append(CurvePoint(len(trials), points[-1].objective, points[-1].report))
    return points


_Values = tuple[NDArray[np.int64], FloatArray]  # number of the evaluation, signed objectives, of feasible trials


@dataclass(frozen=True)
class _Job:
    strategy: str
    seed: int
    search: SearchConfig
    common: ProblemConfig


def compare(config: CompareConfig, on_run: Callable[[str, int, int], None] | None = None) -> pd.DataFrame:
    """Run every strategy with every seed and write ``curves.csv``, ``summary.csv`` and ``curves.png``.

    Every run is an ordinary search in ``out/runs/STRATEGY-SEED``, so an interrupted comparison
    continues where it stopped. With several objectives ``hypervolume.csv`` holds the hypervolume after
    every evaluation that raised it: objectives run from 0, the worst feasible value, to 1, the best one,
    of the table, or of all runs together where there is no table; with a table it is divided by what
    the table's own Pareto front has.

    Args:
        config: the settings.
        on_run: called as ``on_run(strategy, seed, runs_done)`` when a run is finished.

    Returns:
        The summary, one row per strategy.

    Raises:
        GennasError: bad settings; nothing is written then.
    """
    import pandas as pd

    jobs = list(_jobs(config))
    problem = _problem(jobs[0].common)
    if config.stop_at_optimum:
        if problem.optimum is None:
            raise ConfigError("--stop-at-optimum needs a table and a single objective.")
        jobs = [replace(job, search=replace(job.search, target=problem.optimum)) for job in jobs]
    for name in dict.fromkeys(job.strategy for job in jobs):  # fail before the first run, not after an hour
        make_strategy(*_named(name), problem, seed=0)
    _claim(config)
    rows: list[tuple[Any, ...]] = []
    walls: dict[tuple[str, int], float] = {}
    fronts: dict[tuple[str, int], _Values] = {}
    for job, points, wall_s, values in _run_all(jobs, config.workers):
        rows += [(job.strategy, job.seed, p.n_evals, p.objective, p.report) for p in points]
        walls[job.strategy, job.seed] = wall_s
        fronts[job.strategy, job.seed] = values
        if on_run is not None:
            on_run(job.strategy, job.seed, len(walls))
    curves = pd.DataFrame(rows, columns=["strategy", "seed", "n_evals", "objective", "report"])
    names = list(dict.fromkeys(job.strategy for job in jobs))
    curves["strategy"] = pd.Categorical(curves["strategy"], names)
    curves = curves.sort_values(["strategy", "seed", "n_evals"])
    summary = summarize(curves, problem, walls)
    if len(problem.objectives.objectives) > 1:
        volumes = hypervolumes(fronts, problem)
        volumes.sort_values(["strategy", "seed", "n_evals"]).to_csv(config.out / "hypervolume.csv", index=False)
        last = volumes.groupby(["strategy", "seed"])["hypervolume"].last().groupby("strategy")
        summary.insert(3, "hypervolume_mean", summary["strategy"].map(last.mean()))
        summary.insert(4, "hypervolume_std", summary["strategy"].map(last.std(ddof=1)).fillna(0.0))
    _write(config, problem, curves, summary)
    return summary


def hypervolumes(fronts: Mapping[tuple[str, int], _Values], problem: Problem) -> pd.DataFrame:
    """Hypervolume by ``strategy``, ``seed`` and ``n_evals``, a row per rise; see :func:`compare` for its scale."""
    import pandas as pd

    known = problem.objective_values
    every = np.concatenate([values for _, values in fronts.values()]) if known is None else known
    scale = Scale.of(every)
    whole = 1.0 if known is None else hypervolume(scale(known))
    rows = []
    for (strategy, seed), (n_evals, values) in fronts.items():
        curve = hypervolume_curve(scale(values)) / whole
        rises = np.flatnonzero(np.diff(curve, prepend=0.0) > 0)
        rows += [(strategy, seed, int(n_evals[i]), float(curve[i])) for i in rises] or [(strategy, seed, 1, 0.0)]
    return pd.DataFrame(rows, columns=["strategy", "seed", "n_evals", "hypervolume"])


def _jobs(config: CompareConfig) -> Iterator[_Job]:
    names = config.strategy_names
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"Expected one or more different strategies, got {config.strategies!r}.")
    common = {f.name: getattr(config, f.name) for f in fields(ProblemConfig)}
    for name in names:
        strategy, options = _named(name)
        for seed in range(config.seeds):
            out = config.out / "runs" / f"{_slug(name)}-{seed}"
            search = SearchConfig(**common, strategy=strategy, strategy_option=options, seed=seed, out=out)
            yield _Job(name, seed, search, ProblemConfig(**common))


def _named(text: str) -> tuple[str, Options]:
    """Split ``NAME@KEY=VALUE@…``."""
    name, *options = text.split("@")
    STRATEGIES.get(name)
    return name, Options.of(options)


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_=." else "_" for c in name)


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


def _run_all(jobs: Sequence[_Job], workers: int) -> Iterable[tuple[_Job, list[CurvePoint], float, _Values]]:
    if workers == 1:
        for job in jobs:
            yield job, *_run_job(job)
        return
    start = partial(_start_worker, os.getpid())
    with ProcessPoolExecutor(workers, mp_context=mp.get_context("spawn"), initializer=start) as pool:
        futures = {pool.submit(_run_job, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], *future.result()
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


def _run_job(job: _Job) -> tuple[list[CurvePoint], float, _Values]:
    run = run_search(job.search, report=False, problem=_problem(job.common))
    trials = run.result.trials[: job.search.budget]  # the run may have had more before
    points = incumbent_curve(trials, run.problem.objectives, run.problem.report)
    return points, run.result.wall_s, signed_values(trials, run.problem.objectives)


def summarize(curves: pd.DataFrame, problem: Problem, walls: dict[tuple[str, int], float]) -> pd.DataFrame:
    """One row per strategy: final values over seeds, and how often and when the optimum was found.

    Columns: ``strategy, seeds, feasible_share, objective_mean, objective_std, objective_median,
    report_mean, report_std, report_median, optimum_share, evals_to_optimum_mean,
    evals_to_optimum_median, wall_s``. Values are taken over the seeds that found anything feasible
    (see ``feasible_share``), evaluations to the optimum over those that found it (``optimum_share``).
    """
    import pandas as pd

    rows = []
    for strategy in dict.fromkeys(name for name, _ in walls):
        group = curves[curves["strategy"] == strategy]
        last = group.groupby("seed").last()
        runs = sum(name == strategy for name, _ in walls)
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
        row["wall_s"] = float(np.mean([wall for (name, _), wall in walls.items() if name == strategy]))
        rows.append(row)
    return pd.DataFrame(rows)


def _write(config: CompareConfig, problem: Problem, curves: pd.DataFrame, summary: pd.DataFrame) -> None:
    from gennas.report.search_curves import plot_comparison

    curves.to_csv(config.out / "curves.csv", index=False)
    summary.to_csv(config.out / "summary.csv", index=False)
    goal, report = problem.objectives.primary, problem.report or ""
    plot_comparison(curves, config.out / "curves.png", goal, problem.optimum, report)
