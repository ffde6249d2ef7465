"""From a configuration to a finished run directory: the one-call interface behind the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gennas
from gennas.errors import ArchiveError, ConfigError, EvaluationError, GennasError, shown
from gennas.eval.base import Metric
from gennas.runtime.files import write_atomically
from gennas.search import (
    Archive,
    Listener,
    Progress,
    Result,
    Search,
    Status,
    Trial,
    commonest_error,
    failures,
    trials_frame,
)
from gennas.search.language_summary import language_record, summarize_language
from gennas.search.progress import TrainingListener
from gennas.search.strategy import Context
from gennas.spaces import Space, TaskSpec
from gennas.workbench.config import SearchConfig
from gennas.workbench.directory import holds_run, locked, open_archive, read_config
from gennas.workbench.equip import labels_of_others, make_equipment
from gennas.workbench.executors import make_executor
from gennas.workbench.known import read_known, try_one
from gennas.workbench.problem import Problem, make_problem, make_strategy, space_from, task_name
from gennas.workbench.save_generator import GeneratorSaver
from gennas.workbench.track import make_tracker, place_of, run_info

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from gennas.report import RunData

__all__ = ["Run", "open_run", "read_run", "run_data", "run_search", "search"]


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
    other_labels: Mapping[str, int] = field(default_factory=dict)
    """How many labels of other runs it was given, by run; they are no trials."""

    @property
    def best(self) -> Trial:
        """The incumbent.

        Raises:
            GennasError: no trial was feasible.
        """
        if self.result.best is None:
            raise GennasError(f"There is no best architecture. {self.why_none}")
        return self.result.best

    @property
    def why_none(self) -> str:
        """Why there is no incumbent; empty where there is one."""
        trials = self.result.trials
        if self.result.best is not None:
            return ""
        if not any(t.ok for t in trials):
            error, count = commonest_error(trials)
            return f"{failures(len(trials), count)}: {error}" if trials else "There is no trial yet."
        return "No trial was feasible: loosen the constraints or raise the budget."

    def build(self, spec: TaskSpec) -> nn.Module:
        """The best architecture as a plain, freshly initialised module."""
        return self.problem.space.build(self.best.arch, spec)

    def trials(self, decisions: bool = False) -> pd.DataFrame:
        """One row per evaluation: architecture, key, status, source, round, metrics, costs, error.

        Args:
            decisions: add a column for every decision of the space.
        """
        return trials_frame(self.result.trials, self.problem.space, decisions)

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
        strategy, n_evals = self.config.to_dict()["strategy"], self.result.n_evals
        return f"Run({self.problem.space.name}, {strategy}: {n_evals} evaluations, {found}, {self.directory})"

    def _repr_html_(self) -> str:
        """The best architectures with their values, a drawing and the report, for notebooks."""
        from gennas.workbench.notebook import run_html

        return run_html(self)

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        best, trials = self.result.best, self.result.trials
        paid = {
            f"{part}_s": sum(t.cost.get(f"{part}_seconds", 0.0) for t in trials) for part in ("feature", "supernet")
        }
        more = {name: seconds for name, seconds in paid.items() if seconds}
        for name in ("llm_calls", "llm_tokens", "llm_usd"):
            if any(name in t.cost for t in trials):
                more[name] = sum(t.cost.get(name, 0.0) for t in trials)
        return {
            "best": None if best is None else _describe(best, self.problem.space),
            "pareto": [_describe(t, self.problem.space) for t in self.result.pareto],
            "n_evals": self.result.n_evals,
            "n_given": len(trials) - self.result.n_evals,
            "wall_s": self.result.wall_s,
            "cost_s": sum(t.cost.get("seconds", 0.0) for t in trials),
            "stopped": self.result.stopped,
            "optimum": self.problem.optimum,
            "config_hash": self.config.config_hash,
            "version": gennas.__version__,
            **more,
            **({"labels_of_other_runs": dict(self.other_labels)} if self.other_labels else {}),
        }


def _describe(trial: Trial, space: Space) -> dict[str, Any]:
    return {"text": space.to_text(trial.arch), "key": trial.arch.key, "metrics": dict(trial.metrics)}


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
        EvaluationError: too many trials in a row failed; the directory holds everything up to then.
        KeyboardInterrupt: interrupted; the directory holds every finished trial, a summary and a report.
    """
    equipment = make_equipment(config, problem or make_problem(config))
    problem = equipment.problem
    strategy = make_strategy(config.strategy, config.strategy_option, problem, config.seed)
    equipment.give_to(strategy, str(config.to_dict()["strategy"]))
    told: list[Listener] = [*listeners]

    def on_progress(epoch: int, values: Mapping[str, float]) -> None:
        for listener in told:
            if isinstance(listener, TrainingListener):
                listener.on_training(epoch, values)

    strategy.prepare(Context(Path(config.out), problem.task, on_progress))
    known = equipment.add_starts(read_known(config, problem), strategy)
    is_new = not holds_run(config.out)
    if is_new:  # what cannot work leaves nothing behind, and the place stays free
        try_one(problem, config)
        equipment.check(config.seed)
        strategy.check()
    tracker = make_tracker(config, config.out)
    told.append(tracker)
    with (
        closing(make_executor(config, problem.evaluator)) as executor,
        locked(config.out),
        open_archive(config, problem) as archive,
    ):
        equipment.claim(archive, strategy)
        writer = _Writer(config, problem, archive, report)
        search = Search(
            strategy,
            executor,
            archive,
            problem.objectives,
            config.budget,
            config.seed,
            problem.fidelity,
            [writer, *listeners, tracker, GeneratorSaver(strategy, config, problem)],
            config.asynchronous,
            target=config.target,
            limits=problem.limits,
            retry=cast(tuple[Status, ...], config.retry),
            stopping=problem.stopping,
            upfront=problem.upfront,
        )
        known.add_to(search, charged=config.ingest_as == "charged")
        if on_problem is not None:
            on_problem(problem)
        try:
            if not is_new and not len(archive):
                try_one(problem, config)
                equipment.check(config.seed)
                strategy.check()
            tracker.start(run_info(config, problem))
            run = Run(config, problem, search.run(), config.out, other_labels=labels_of_others(archive))
            writer.write(run)
            tracker.finish({**run.summary(), **language_record(archive)})
            return replace(run, tracked=place_of(tracker))
        except (KeyboardInterrupt, EvaluationError) as error:
            run = writer.so_far("interrupted" if isinstance(error, KeyboardInterrupt) else "failures")
            writer.write(run)
            tracker.finish({**run.summary(), **language_record(archive)})
            raise


class _Writer:
    """Writes the summary and the report of a run while it goes on, seldom enough to cost next to nothing."""

    def __init__(self, config: SearchConfig, problem: Problem, archive: Archive, report: bool) -> None:
        self._config, self._problem, self._archive, self._report = config, problem, archive, report
        self._trials: dict[int, Trial] = {}
        self._start = time.perf_counter()
        self._before = archive.meta_value("wall_s", 0.0)
        self._next_summary, self._next_report = self._start + 5.0, self._start + 30.0

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Write what is due."""
        self._trials[trial.proposal.id] = trial
        now = time.perf_counter()
        if now < self._next_summary:
            return
        due = self._report and now >= self._next_report
        self.write(self.so_far("running"), report=due)
        took = time.perf_counter() - now
        self._next_summary = now + max(5.0, 50 * took)
        if due:
            self._next_report = now + max(30.0, 50 * took)

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Nothing is due."""

    def so_far(self, stopped: str) -> Run:
        """The run as it stands."""
        trials = [self._trials[number] for number in sorted(self._trials)]
        goals = self._problem.objectives
        wall_s = self._before + time.perf_counter() - self._start
        self._archive.set_meta("wall_s", str(wall_s))
        result = Result(trials, goals.best(trials), goals.pareto(trials), wall_s, stopped)
        labels = labels_of_others(self._archive)
        return Run(self._config, self._problem, result, self._config.out, other_labels=labels)

    def write(self, run: Run, report: bool = True) -> None:
        """Write ``summary.json`` and, where one is wished, ``report.html``."""
        write_atomically(run.directory / "summary.json", json.dumps(run.summary(), indent=2) + "\n")
        if self._report and report:
            from gennas.report import write_report

            write_report(run_data(run, self._archive), run.directory / "report.html")


def run_data(run: Run, archive: Archive) -> RunData:
    """What a report shows of a run."""
    from gennas.report import RunData, supernets_of

    found = RunData(
        config=run.config.to_dict(),
        trials=run.result.trials,
        objectives=run.problem.objectives,
        report_metric=run.problem.report,
        rounds=archive.rounds(),
        curves={t.proposal.id: t.curves for t in run.result.trials if t.curves},
        optimum=run.problem.optimum,
        texts=run.problem.space.to_text,
        wall_s=run.result.wall_s,
        version=gennas.__version__,
        defaults=SearchConfig().to_dict(),
        other_labels=run.other_labels,
        supernets=supernets_of(run.config.to_dict(), run.directory, archive.meta("identity") or ""),
    )
    incumbents = [trial for _, trial in found.incumbents]
    return replace(found, language=summarize_language(archive, run.result.trials, incumbents))


def open_run(directory: Path | str, trust: bool = False, **own: Any) -> Run:
    """Read a run directory again, finished or not, without continuing or changing it; see :func:`read_run`.

    Example:
        >>> from gennas import open_run  # doctest: +SKIP
        >>> open_run("runs/cora").trials()[["arch", "val_accuracy"]]  # doctest: +SKIP
    """
    run, archive = read_run(directory, trust, **own)
    archive.close()
    return run


def read_run(directory: Path | str, trust: bool = False, **own: Any) -> tuple[Run, Archive]:
    """Read a run directory again, and its open archive: what :func:`open_run` does, for whoever needs the archive too.

    Parts of the run that were given as objects stay unknown: its records are read, but nothing can be scored.

    Args:
        directory: of the run.
        trust: run code that its settings name although somebody else wrote them.
        **own: settings in place of the run's, such as ``space``, where they are not None.

    Raises:
        ConfigError: the folder is not a run directory, its space cannot be made again, or its settings name code
            outside of gennas and were written by somebody else.
    """
    directory = Path(directory)
    config = read_config(directory, trust, **own)
    if not (directory / "archive.sqlite").exists():
        raise ConfigError(f"{directory} holds no archive.sqlite; expected the --out of a search.")
    archive = Archive(directory / "archive.sqlite", space_from(config, task_name(config.task)), read_only=True)
    noted = archive.meta_value("metrics", dict[str, Any]())
    try:
        recorded = {name: Metric(**{**m, "bounds": tuple(m["bounds"])}) for name, m in noted.items()}
    except (TypeError, KeyError) as error:
        raise ArchiveError(
            f"{archive.path}: the metrics in it cannot be read ({shown(error)}); restore the file."
        ) from error
    problem = make_problem(config, recorded)
    trials = archive.trials()
    goals = problem.objectives
    Progress(goals, config.budget).check(trials, archive.path)
    wall_s = archive.meta_value("wall_s", 0.0)
    ended = archive.meta("complete") in (str(len(trials)), None)  # version 0.1.0 did not say
    spent = "budget" if sum(t.charged for t in trials) >= config.budget else ""
    stopped = (ended and (archive.meta("stopped") or spent)) or "unfinished"
    result = Result(trials, goals.best(trials), goals.pareto(trials), wall_s, stopped)
    return Run(config, problem, result, directory, other_labels=labels_of_others(archive)), archive
