"""What was found on one task, trained on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, Evaluator, Fidelity
from gennas.execution import SerialExecutor
from gennas.graph import Architecture
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import Space
from gennas.workbench.chosen import describe_effort, own_task, spent_by
from gennas.workbench.config import SearchConfig
from gennas.workbench.directory import read_config
from gennas.workbench.evaluators import make_recipe, task_from
from gennas.workbench.problem import space_from, task_name
from gennas.workbench.run import Run, read_run, run_data
from gennas.workbench.settings import NO_OPTIONS, Count, OptionMap, ScaledSettings, Seed, Switch, TrustSettings
from gennas.workbench.values import parse_options

if TYPE_CHECKING:
    import pandas as pd

    from gennas.training import Task, TrainEvaluator

__all__ = ["Candidate", "TransferSettings", "TransferTable", "transfer", "transfer_chosen"]


@dataclass(frozen=True)
class TransferSettings(TrustSettings, ScaledSettings):
    """Train a run's best architectures, and as many random ones, on other tasks, and see whether rank carries over."""

    run: Path = Path("runs/search")
    """Directory of a search."""
    tasks: str = ""
    """Tasks, separated by commas; the run's own may be among them. Default: the run's own, else digits."""
    top: Count = 5
    """How many of the run's best architectures, and how many random ones."""
    seeds: Count = 3
    """Trainings of each architecture on each task."""
    metric: str = "test_accuracy"
    """What is shown of a training."""
    train_option: OptionMap = NO_OPTIONS
    """Changes of each task's recipe, as KEY=VALUE, beside what the run changed in that of its own task."""
    seed: Seed = 0
    """Seed of the random architectures."""
    download: Switch = False
    """Allow the tasks to download their datasets."""
    out: Path | None = None
    """CSV file of all values (default: transfer.csv in the run directory)."""

    @property
    def task_names(self) -> list[str]:
        """The tasks; none for the run's own."""
        return [name.strip() for name in self.tasks.split(",") if name.strip()]


# ---------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Candidate:
    """An architecture whose transfer is measured.

    Args:
        text: its text in the run's space.
        group: ``top`` of the run, or ``random``.
        source: value of the run's first objective; NaN where it could not be measured.
    """

    text: str
    group: str
    source: float


@dataclass(frozen=True, eq=False)
class TransferTable:
    """Values of several architectures on several tasks.

    Args:
        rows: one per architecture, task and seed: ``group, arch, source, task, seed, value, status, error``;
            ``value`` is NaN where training failed.
        signs: +1 where more is better, -1 where less is: of the source and of the target metric.
    """

    rows: pd.DataFrame
    signs: tuple[float, float] = (1.0, 1.0)

    @cached_property
    def means(self) -> pd.DataFrame:
        """One row per architecture and task: ``group, arch, source, task, mean, std, seeds`` (those that succeeded)."""
        groups = self.rows.groupby(["group", "arch", "source", "task"], sort=False, dropna=False)["value"]
        found: pd.DataFrame = groups.agg(mean="mean", std="std", seeds="count").reset_index()
        return found

    def correlations(self) -> pd.DataFrame:
        r"""One row per task: ``task, n, tau, p, top, random, gain, gain_se``.

        ``tau`` is Kendall's :math:`\tau_b` between source values and means over seeds, both turned so that
        more is better, with its p-value ``p`` over the ``n`` architectures that have both; ``top`` and ``random`` are
        the groups' means and ``gain`` is their difference, turned so that positive favours ``top``, with its
        standard error over architectures.
        """
        import pandas as pd

        return pd.DataFrame([self._row(task, part) for task, part in self.means.groupby("task", sort=False)])

    def _row(self, task: Any, part: pd.DataFrame) -> dict[str, Any]:
        from scipy.stats import kendalltau

        known = part.dropna(subset=["source", "mean"])
        tau, p = (np.nan, np.nan)
        if len(known) > 1:
            tau, p = kendalltau(known["source"] * self.signs[0], known["mean"] * self.signs[1])
        top, other = (part.loc[part["group"] == g, "mean"].dropna() for g in ("top", "random"))
        error = np.sqrt(sum(x.var(ddof=1) / len(x) if len(x) > 1 else np.nan for x in (top, other)))
        gain = (top.mean() - other.mean()) * self.signs[1]
        values = {"n": len(known), "tau": tau, "p": p, "top": top.mean(), "random": other.mean()}
        return {"task": task, **values, "gain": gain, "gain_se": error}


def transfer(
    run: Path,
    tasks: Sequence[str | Task] | None = None,
    *,
    top: int = 5,
    seeds: int = 3,
    fidelity: Fidelity | None = None,
    metric: str = "test_accuracy",
    train_option: Mapping[str, Any] | Sequence[str] = (),
    scale: tuple[float, float] | None = None,
    seed: int = 0,
    download: bool = False,
    trust: bool = False,
    on_trial: Callable[[Trial, int], None] | None = None,
    on_start: Callable[[str], None] | None = None,
) -> TransferTable:
    """Train the best architectures of a run, and as many random ones, on other tasks.

    Random architectures that the run did not evaluate are scored once as the run scores (from its table, or by one
    training each); they need not keep the run's constraints. The source values of the best are the largest of many
    noisy ones and therefore flatter them; those of the random ones do not.

    Args:
        run: directory of a search.
        tasks: names of tasks, or tasks; the run's own may be among them, and is the default. It comes with the run's
            options and with what the run changed in its recipe.
        top: how many of the run's best distinct feasible architectures, and how many random ones.
        seeds: trainings of each architecture on each task, with seeds 0 to ``seeds - 1``.
        fidelity: of these trainings; default: the run's, less its width and depth.
        metric: what the table shows of a training.
        train_option: changes of each task's recipe.
        scale: factors of the networks' width and depth; default: the run's.
        seed: of the random architectures.
        download: allow tasks to fetch their data.
        trust: import code that the run's settings name although somebody else wrote them.
        on_trial: called with every finished training and how many there will be.
        on_start: called with one line of what is going to be trained, before the first training.

    Raises:
        ConfigError: a number is not positive, a task has no networks in the space, or nothing feasible was found.
        UnknownNameError: no such task or metric.
    """
    import pandas as pd

    if min(top, seeds) < 1 or (tasks is not None and not tasks):
        number = "the run's" if tasks is None else len(tasks)
        raise ConfigError(f"Expected at least one task, architecture and seed, got {number}, {top} and {seeds}.")
    found, archive = read_run(run, trust)
    try:
        data = run_data(found, archive)
    finally:
        archive.close()
    own = own_task(found.config)
    tasks = [own or "digits"] if tasks is None else tasks
    spent = found.config.fidelity if own is not None else FULL_FIDELITY
    scale = (spent.width, spent.depth) if scale is None else scale
    fidelity = replace(spent, width=1.0, depth=1.0) if fidelity is None else fidelity
    evaluators = {task_name(task): _evaluator(found.config, task, scale, train_option, download) for task in tasks}
    if on_start is not None:
        effort = {**fidelity.to_dict(), "width": scale[0], "depth": scale[1]}
        names = ", ".join(evaluators)
        on_start(f"{run} · {found.problem.space.name} · tasks {names}{describe_effort(effort, {})}")
    best = [trial for _, trial in data.best_trials(top)]
    if not best:
        raise ConfigError(f"{run}: no trial was feasible, so there is nothing to transfer.")
    for evaluator in evaluators.values():  # fail before the first training, not after an hour
        if metric not in evaluator.metrics:
            raise UnknownNameError("metric", metric, evaluator.metrics)
        evaluator.cheap(evaluator.space.from_text(found.problem.space.to_text(best[0].arch)), fidelity)
    candidates = _candidates(found, best, seed)
    total = len(candidates) * len(tasks) * seeds
    rows = []
    for candidate, task, trial in _trials(candidates, evaluators, seeds, fidelity):
        value = trial.metrics.get(metric, np.nan)
        about = {"group": candidate.group, "arch": candidate.text, "source": candidate.source, "task": task}
        seeded = {"seed": trial.proposal.seed, "value": value, "status": trial.status, "error": trial.error}
        rows.append(about | seeded)
        if on_trial is not None:
            on_trial(trial, total)
    better = next(iter(evaluators.values())).metrics[metric].direction
    signs = (data.objectives.primary.signed(1.0), 1.0 if better == "max" else -1.0)
    return TransferTable(pd.DataFrame(rows), signs)


def transfer_chosen(
    settings: TransferSettings,
    on_start: Callable[[str], None] | None = None,
    on_trial: Callable[[Trial, int], None] | None = None,
) -> TransferTable:
    """As :func:`transfer`, by settings; what they do not say of the fidelity is the run's.

    Raises:
        GennasError: as there.
    """
    config = read_config(settings.run, settings.trust)
    effort = settings.effort(config.fidelity if own_task(config) is not None else None)
    scale = (effort.pop("width"), effort.pop("depth"))
    return transfer(
        settings.run,
        settings.task_names or None,
        top=settings.top,
        seeds=settings.seeds,
        fidelity=Fidelity(**effort),
        metric=settings.metric,
        train_option=settings.train_option,
        scale=scale,
        seed=settings.seed,
        download=settings.download,
        trust=settings.trust,
        on_trial=on_trial,
        on_start=on_start,
    )


def _evaluator(
    config: SearchConfig,
    task: str | Task,
    scale: tuple[float, float],
    options: Mapping[str, Any] | Sequence[str],
    download: bool,
) -> TrainEvaluator:
    from gennas.training import TrainEvaluator, scale_space

    fidelity, changed = spent_by(config, own_task(config), task)
    target = task_from(task, {} if fidelity is None else config.task_option, download)
    mine = options if isinstance(options, Mapping) else parse_options(options)
    recipe, space = make_recipe(target.config, {**changed, **mine}), space_from(config, task_name(task))
    return TrainEvaluator(scale_space(space, *scale), target, recipe, measure_latency=False)


def _candidates(run: Run, best: Sequence[Trial], seed: int) -> list[Candidate]:
    """The run's best, then as many random architectures."""
    space, goal = run.problem.space, run.problem.objectives.primary.metric
    known = {trial.arch.key: trial for trial in run.result.trials if trial.ok}
    others = _random(run.problem.searched, len(best), {t.arch.key for t in best}, np.random.default_rng(seed))
    values = [known[a.key] if a.key in known else _measure(run, a, i) for i, a in enumerate(others)]
    found = [Candidate(space.to_text(t.arch), "top", t.metrics[goal]) for t in best]
    return found + [Candidate(space.to_text(t.arch), "random", t.metrics.get(goal, np.nan)) for t in values]


def _random(space: Space, n: int, taken: set[str], rng: np.random.Generator) -> list[Architecture]:
    """Up to ``n`` distinct architectures outside of ``taken``; fewer where the space hardly has more."""
    found: dict[str, Architecture] = {}
    for _ in range(20):
        for arch in space.sample(2 * n, rng):
            if arch.key not in taken and len(found) < n:
                found.setdefault(arch.key, arch)
    return list(found.values())


def _measure(run: Run, arch: Architecture, seed: int) -> Trial:
    return _run(run.problem.evaluator, Proposal(arch, Origin("random"), run.problem.fidelity, seed, seed))


def _run(evaluator: Evaluator, proposal: Proposal) -> Trial:
    executor = SerialExecutor(evaluator)
    executor.submit(proposal)
    return executor.wait_any()


def _trials(
    candidates: Sequence[Candidate], evaluators: dict[str, TrainEvaluator], seeds: int, fidelity: Fidelity
) -> Iterator[tuple[Candidate, str, Trial]]:
    for task, evaluator in evaluators.items():
        for candidate in candidates:
            arch = evaluator.space.from_text(candidate.text)
            for seed in range(seeds):
                proposal = Proposal(arch, Origin(candidate.group), fidelity, seed, seed)
                yield candidate, task, _run(evaluator, proposal)
