"""From a configuration to a finished run directory: the one-call interface behind the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import gennas
from gennas.errors import ConfigError, GennasError
from gennas.eval.base import Evaluator, Metric
from gennas.execution import Executor, ProcessExecutor, SerialExecutor
from gennas.runtime.files import write_atomically
from gennas.search import Archive, Listener, Result, Search, Trial, trials_frame
from gennas.spaces import Space, TaskSpec
from gennas.tracking import NullTracker, RunInfo, SafeTracker, Tracker
from gennas.workbench.config import SearchConfig, load_yaml
from gennas.workbench.problem import Problem, make_problem, make_strategy, space_from, task_name
from gennas.workbench.save_generator import GeneratorSaver

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from gennas.report import RunData

__all__ = ["Run", "open_run", "read_config", "read_run", "replay_run", "run_data", "run_search", "search"]


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) search and its directory.

    Example:
        >>> from gennas import SearchConfig, run_search  # doctest: +SKIP
        >>> run = run_search(SearchConfig(space="nasbench-graph", task="cora", budget=30))  # doctest: +SKIP
        >>> run.best.metrics["val_accuracy"] > 0.8  # doctest: +SKIP
        True
    """

    config: SearchConfig
    problem: Problem
    result: Result
    directory: Path = field(default=Path())

    @property
    def best(self) -> Trial:
        """The incumbent.

        Raises:
            GennasError: no trial was feasible.
        """
        if self.result.best is None:
            raise GennasError("No trial was feasible, so there is no best architecture; loosen the constraints.")
        return self.result.best

    def build(self, spec: TaskSpec) -> nn.Module:
        """The best architecture as a plain, freshly initialised module."""
        return self.problem.space.build(self.best.arch, spec)

    def trials(self) -> pd.DataFrame:
        """One row per evaluation: architecture, key, status, source, round, metrics, costs, error."""
        return trials_frame(self.result.trials, self.problem.space)

    def leaders(self, n: int = 5) -> list[Trial]:
        """The best ``n`` feasible trials, or with several objectives ``n`` of the Pareto front.

        They are sorted by the first objective. Members of a larger front lie evenly along it, both ends included.
        """
        goals = self.problem.objectives
        several = len(goals.objectives) > 1
        found = self.result.pareto if several else [t for t in self.result.trials if goals.is_feasible(t)]
        ranked = sorted(found, key=lambda t: -goals.primary.signed(t.metrics[goals.primary.metric]))
        if several and len(ranked) > n:
            return [ranked[round(i * (len(ranked) - 1) / max(1, n - 1))] for i in range(n)]
        return ranked[:n]

    def __repr__(self) -> str:
        goal, best = self.problem.objectives.primary.metric, self.result.best
        found = "nothing feasible" if best is None else f"best {goal} {best.metrics[goal]:.5g}"
        strategy, n_evals = self.config.to_dict()["strategy"], len(self.result.trials)
        return f"Run({self.problem.space.name}, {strategy}: {n_evals} evaluations, {found}, {self.directory})"

    def _repr_html_(self) -> str:
        """The best architectures with their values, a drawing and the report, for notebooks."""
        from gennas.workbench.notebook import run_html

        return run_html(self)

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        best = self.result.best
        return {
            "best": None if best is None else _describe(best, self.problem.space),
            "pareto": [_describe(t, self.problem.space) for t in self.result.pareto],
            "n_evals": len(self.result.trials),
            "wall_s": self.result.wall_s,
            "cost_s": sum(t.cost.get("seconds", 0.0) for t in self.result.trials),
            "stopped": self.result.stopped,
            "optimum": self.problem.optimum,
            "config_hash": self.config.config_hash,
            "version": gennas.__version__,
        }


def _describe(trial: Trial, space: Space) -> dict[str, Any]:
    return {"text": space.to_text(trial.arch), "key": trial.arch.key, "metrics": dict(trial.metrics)}


def _make_executor(config: SearchConfig, evaluator: Evaluator) -> Executor:
    if config.executor == "serial":
        return SerialExecutor(evaluator, config.time_limit_s)
    return ProcessExecutor(evaluator, config.workers, config.time_limit_s, config.memory_limit_gb)


def _run_info(config: SearchConfig, problem: Problem) -> RunInfo:
    values = config.to_dict()
    source = task_name(config.task) or config.table or "digits"
    strategy = str(values["strategy"])
    return RunInfo(
        values,
        config.config_hash,
        config.seed,
        problem.objectives,
        problem.space.to_text,
        group=f"{problem.space.name}-{Path(source).name}-{strategy}",
        name=f"{strategy}-{config.seed}",
    )


def _make_tracker(config: SearchConfig) -> Tracker:
    if config.track == "none":
        return NullTracker()
    from gennas.tracking.wandb import WandbTracker

    return SafeTracker(WandbTracker(project="gennas", run_dir=config.out))


# ---------------------------------------------------------------------- running


def search(*, listeners: Sequence[Listener] = (), report: bool = True, **settings: Any) -> Run:
    """Run a search, or continue the one in ``out``: :func:`run_search` for notebooks.

    Args:
        listeners: told of every trial and round.
        report: write ``report.html``.
        **settings: of :class:`SearchConfig`. Wherever it wants a name, the thing itself will do as well: ``space``, a
            space or its class; ``task``, a :class:`gennas.training.Task`; ``evaluator``, a function of an
            architecture, an evaluator or its class; ``strategy``, a strategy's class.

    Raises:
        GennasError: bad settings; nothing is written then.

    Example:
        >>> import tempfile
        >>> from gennas.spaces import NASBench201
        >>> with tempfile.TemporaryDirectory() as out:
        ...     run = search(
        ...         space=NASBench201(),
        ...         evaluator=lambda arch: float(arch.decisions.sum()),
        ...         strategy="local-search",
        ...         budget=100,
        ...         out=out,
        ...         report=False,
        ...     )
        >>> run.best.metrics
        {'score': 24.0}
    """
    return run_search(SearchConfig.from_dict(settings), listeners, report=report)


def run_search(
    config: SearchConfig,
    listeners: Sequence[Listener] = (),
    on_problem: Callable[[Problem], None] | None = None,
    report: bool = True,
    problem: Problem | None = None,
) -> Run:
    """Run a search, or continue the one in ``config.out``, and write its directory.

    The directory holds ``config.yaml`` (resolved), ``archive.sqlite``, ``summary.json``,
    ``report.html`` and, for generative strategies, ``generator/``.

    Args:
        config: the settings.
        listeners: told of every trial and round.
        on_problem: called with the problem before the first trial.
        report: write ``report.html``.
        problem: what :func:`make_problem` made of these settings before, to save making it again.

    Raises:
        GennasError: bad settings; nothing is written then.
        KeyboardInterrupt: interrupted; the archive holds every finished trial.
    """
    problem = problem or make_problem(config)
    strategy = make_strategy(config.strategy, config.strategy_option, problem, config.seed)
    executor = _make_executor(config, problem.evaluator)
    archive = _open_archive(config, problem)
    tracker = _make_tracker(config)
    if on_problem is not None:
        on_problem(problem)
    search = Search(
        strategy,
        executor,
        archive,
        problem.objectives,
        config.budget,
        config.seed,
        problem.fidelity,
        [*listeners, tracker, GeneratorSaver(strategy, config, problem)],
        config.asynchronous,
        target=config.target,
        limits=problem.limits,
    )
    try:
        tracker.start(_run_info(config, problem))
        run = Run(config, problem, search.run(), config.out)
        _write_results(run, archive, report)
        tracker.finish(run.summary())
        return run
    finally:
        executor.close()
        archive.close()


def _open_archive(config: SearchConfig, problem: Problem) -> Archive:
    """Create the run directory or reopen it; refuse another configuration's."""
    settings = config.out / "config.yaml"
    if settings.exists():
        _refuse_other_config(config, read_config(config.out), settings)
    else:
        content = yaml.safe_dump({**config.to_dict(), "version": gennas.__version__}, sort_keys=False)
        try:
            write_atomically(settings, content)
        except OSError as error:
            raise ConfigError(f"Cannot write to the run directory {config.out}: {error.strerror}.") from error
    archive = Archive(config.out / "archive.sqlite", problem.space)
    schema = problem.space.schema.fingerprint
    archive.claim(f"{problem.space.name} {schema} {problem.evaluator.protocol} {problem.fidelity}")
    archive.set_meta("metrics", json.dumps({name: asdict(m) for name, m in problem.evaluator.metrics.items()}))
    return archive


def read_config(directory: Path) -> SearchConfig:
    """The settings of a run, with ``directory`` as its place.

    Raises:
        ConfigError: the folder is not a run directory, or its settings cannot be read.
    """
    settings = load_yaml(directory / "config.yaml")
    settings.pop("version", None)
    return SearchConfig.from_dict({**settings, "out": directory})


def _refuse_other_config(config: SearchConfig, found: SearchConfig, path: Path) -> None:
    wanted, there = config.identity(), found.identity()
    differing = [k for k in {**there, **wanted} if there.get(k) != wanted.get(k)]
    if differing:
        changes = ", ".join(f"{k}: {there.get(k)!r} there, {wanted.get(k)!r} now" for k in differing)
        raise ConfigError(f"{path} belongs to another configuration ({changes}). Use a new --out or the same settings.")


def _write_results(run: Run, archive: Archive, report: bool) -> None:
    write_atomically(run.directory / "summary.json", json.dumps(run.summary(), indent=2) + "\n")
    if report:
        from gennas.report import write_report

        write_report(run_data(run, archive), run.directory / "report.html")


def run_data(run: Run, archive: Archive) -> RunData:
    """What a report shows of a run."""
    from gennas.report import RunData

    return RunData(
        config=run.config.to_dict(),
        trials=run.result.trials,
        objectives=run.problem.objectives,
        report_metric=run.problem.report,
        rounds=archive.rounds(),
        optimum=run.problem.optimum,
        texts=run.problem.space.to_text,
        wall_s=run.result.wall_s,
        version=gennas.__version__,
    )


def open_run(directory: Path | str) -> Run:
    """Read a run directory again, finished or not, without continuing it; see :func:`read_run`.

    Example:
        >>> from gennas import open_run  # doctest: +SKIP
        >>> open_run("runs/cora").trials()[["arch", "val_accuracy"]]  # doctest: +SKIP
    """
    run, archive = read_run(directory)
    archive.close()
    return run


def read_run(directory: Path | str) -> tuple[Run, Archive]:
    """Read a run directory again, and its open archive: what :func:`open_run` does, for whoever needs the archive too.

    Parts of the run that were given as objects stay unknown: its records are read, but nothing can be scored.

    Raises:
        ConfigError: the folder is not a run directory, or its space cannot be made again.
    """
    directory = Path(directory)
    config = read_config(directory)
    if not (directory / "archive.sqlite").exists():
        raise ConfigError(f"{directory} holds no archive.sqlite; expected the --out of a search.")
    archive = Archive(directory / "archive.sqlite", space_from(config, task_name(config.task)))
    noted = json.loads(archive.meta("metrics") or "{}")
    recorded = {name: Metric(**{**m, "bounds": tuple(m["bounds"])}) for name, m in noted.items()}
    problem = make_problem(config, recorded)
    trials = archive.trials()
    goals = problem.objectives
    wall_s = float(archive.meta("wall_s") or 0)
    stopped = "budget" if len(trials) >= config.budget else "unfinished"
    return Run(
        config, problem, Result(trials, goals.best(trials), goals.pareto(trials), wall_s, stopped), directory
    ), archive


def replay_run(run: Run, archive: Archive) -> None:
    """Tell W&B the whole story of a run, from its archive."""
    from gennas.tracking import replay
    from gennas.tracking.wandb import WandbTracker

    tracker = SafeTracker(WandbTracker(project="gennas", run_dir=run.directory))
    replay(tracker, run.result.trials, archive.rounds(), _run_info(run.config, run.problem), run.summary())
