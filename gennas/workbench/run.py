"""From a configuration to a finished run directory: the one-call interface behind the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import gennas
from gennas.errors import ConfigError, GennasError
from gennas.eval.base import Evaluator, Metric
from gennas.execution import Executor, ProcessExecutor, SerialExecutor
from gennas.runtime.files import write_atomically
from gennas.search import Archive, Listener, Result, Search, Trial
from gennas.spaces import Space, TaskSpec
from gennas.tracking import RunInfo
from gennas.workbench.config import SearchConfig, TrackingSettings, load_yaml
from gennas.workbench.problem import Problem, make_problem, make_strategy, space_from, task_name
from gennas.workbench.save_generator import GeneratorSaver
from gennas.workbench.track import make_tracker, overridden, place_of, resolved_values

if TYPE_CHECKING:
    from torch import nn

    from gennas.report import RunData

__all__ = ["Run", "open_run", "read_config", "replay_run", "run_data", "run_search", "search"]


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
    tracked: str = ""
    """Where its tracker left it, for a person."""

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
    values = resolved_values(config, problem)
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
    tracker = make_tracker(config, config.out)
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
        return replace(run, tracked=place_of(tracker))
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


def open_run(directory: Path | str) -> tuple[Run, Archive]:
    """Read a run directory again, finished or not, without continuing it.

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


def replay_run(run: Run, archive: Archive, tracking: TrackingSettings | None = None) -> Run:
    """Tell W&B the whole story of a run, from its archive; the run that comes back says where.

    Args:
        run: a run, finished or not.
        archive: its archive.
        tracking: replaces what the run's own settings say of W&B.
    """
    from gennas.tracking import replay

    settings = overridden(run.config, tracking or TrackingSettings())
    tracker = make_tracker(replace(settings, track="wandb"), run.directory)
    replay(tracker, run.result.trials, archive.rounds(), _run_info(run.config, run.problem), run.summary())
    return replace(run, tracked=place_of(tracker))
