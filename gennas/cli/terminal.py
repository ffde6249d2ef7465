"""What a person sees in the terminal: progress, summaries, listings."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

from gennas.eval.base import Metric
from gennas.graph import Architecture, decision_labels
from gennas.runtime.files import write_atomically
from gennas.search import Trial
from gennas.spaces import Space
from gennas.workbench.config import CompareConfig, SearchConfig

if TYPE_CHECKING:
    from gennas.generators.trained import TrainedGenerator
    from gennas.report import Comparison
    from gennas.workbench.problem import Problem
    from gennas.workbench.run import Run

__all__ = [
    "CompareDisplay",
    "SearchDisplay",
    "print_architecture",
    "print_metrics",
    "print_decisions",
    "print_run",
    "print_scales",
    "print_tracked",
]

_BEST, _FRONT = 5, 10  # architectures that are shown


def format_value(value: float) -> str:
    """A number with as many digits as a person wants to read."""
    if not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) >= 1000:
        return f"{int(value):,}"
    return f"{value:.5g}"


def _counted(n: int) -> str:
    return f"{n:,} evaluation{'' if n == 1 else 's'}"


class _Rate(ProgressColumn):
    """Evaluations per second, of those that were evaluated now."""

    def render(self, task: Task) -> Text:
        rate = task.fields["rate"]
        return Text("–/s" if not rate else f"{rate:.3g}/s" if rate >= 0.1 else f"{1 / rate:.3g} s each", style="cyan")


class _Left(ProgressColumn):
    """Time left at that rate."""

    def render(self, task: Task) -> Text:
        return Text(time_left(task.total or 0, task.completed, task.fields["rate"]), style="blue")


def time_left(total: float, done: float, rate: float) -> str:
    """Hours, minutes and seconds that the rest takes; dashes where no rate is known yet."""
    if not rate:
        return "-:--:--"
    minutes, seconds = divmod(round(max(0.0, total - done) / rate), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


class SearchDisplay:
    """Progress of a search: incumbent, generator round, evaluations per second, time left.

    In a terminal a bar; elsewhere a line for each evaluation, at most one in ``LINE_EVERY_S`` seconds.
    """

    LINE_EVERY_S = 2.0
    LAST = 30  # evaluations that the rate is taken over

    def __init__(self, config: SearchConfig, console: Console | None = None) -> None:
        self.config, self.console = config, console or Console()
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            _Rate(),
            _Left(),
            TextColumn("{task.fields[incumbent]}"),
            console=self.console,
        )
        self._task = self._progress.add_task(
            str(config.to_dict()["strategy"]), total=config.budget, incumbent="", rate=0.0, start=True
        )
        self._metric = ""
        self._round = ""
        self._times: deque[float] = deque(maxlen=self.LAST + 1)  # of the start, then of arrivals
        self._is_live = False
        self._next_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self._progress.stop()

    def begin(self, problem: Problem) -> None:
        """Say what is searched, and start the bar."""
        self._metric = problem.objectives.primary.metric
        goals = ", ".join(str(o) for o in problem.objectives.objectives)
        limits = "".join(f", {c}" for c in problem.objectives.constraints)
        self.console.print(
            f"[bold]{problem.space.name}[/bold] ({problem.space.size_text}) · "
            f"{escape(f'{problem.source} · {goals}{limits}')} · seed {self.config.seed}",
            soft_wrap=True,
        )
        for note in problem.notes:
            self.console.print(note, style="yellow", soft_wrap=True, highlight=False, markup=False)
        if self.console.is_terminal:
            self._progress.start()

    def on_start(self, n_evals: int) -> None:
        """From here on trials are evaluated; those before were in the archive."""
        self._is_live = True
        self._times.append(time.monotonic())
        if n_evals >= self.config.budget:
            said = f"The budget of {_counted(self.config.budget)} is spent: {n_evals} were made before."
            self.console.print(said, highlight=False)
        elif n_evals:
            self.console.print(f"Continuing after {_counted(n_evals)}.", highlight=False)

    @property
    def rate(self) -> float:
        """Evaluations per second, lately; 0 before the first."""
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        return (len(self._times) - 1) / span if span > 0 else 0.0

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Move the bar, or print a line."""
        now = time.monotonic()
        if self._is_live:
            self._times.append(now)
        best = "" if incumbent is None else f"best {self._metric} {format_value(incumbent.metrics[self._metric])}"
        self._progress.update(self._task, completed=n_evals, incumbent=escape(best) + self._round, rate=self.rate)
        if self.console.is_terminal or not self._is_live:
            return
        if now >= self._next_line or n_evals == self.config.budget:
            self._next_line = now + self.LINE_EVERY_S
            self.console.print(self._line(trial, n_evals, best), highlight=False, soft_wrap=True, markup=False)

    def _line(self, trial: Trial, n_evals: int, best: str) -> str:
        value = trial.metrics.get(self._metric)
        outcome = f"{trial.status}: {trial.error}" if value is None else f"{self._metric} {format_value(value)}"
        left = time_left(self.config.budget, n_evals, self.rate)
        return (
            f"{n_evals}/{self.config.budget} · {outcome} · {best or 'nothing feasible yet'}{self._round} · {left} left"
        )

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Show the generator's round."""
        if "round" in record:
            self._round = f" · round {int(record['round'])}"

    def on_training(self, epoch: int, values: Mapping[str, float]) -> None:
        """Show how the training of the strategy's supernet goes."""
        from gennas.training.supernet.records import line_of

        said = f"supernet, epoch {epoch} · {line_of(values)}"
        if self.console.is_terminal:
            self._progress.update(self._task, incumbent=escape(said))
        else:
            self.console.print(said, highlight=False, soft_wrap=True, markup=False)

    def summarize(self, run: Run) -> None:
        """The best few and where everything is."""
        print_run(run, self.console)


def print_run(run: Run, console: Console | None = None) -> None:
    """The best few architectures of a run, or its Pareto front, and where its report is."""
    console = console or Console()
    goals, report = run.problem.objectives, run.problem.report
    goal = goals.primary
    several = len(goals.objectives) > 1
    best = run.leaders(_FRONT if several else _BEST)
    names = list(dict.fromkeys([*goals.metric_names, *([report] if report else [])]))
    some = f": {len(best)} of {len(run.result.pareto)}, evenly along it" if len(best) < len(run.result.pareto) else ""
    table = RichTable(title=f"Pareto front{some}" if several else "Best architectures", title_justify="left")
    table.add_column("evaluation", justify="right")
    for name in names:
        title = escape(name) + (" (reported only)" if name not in goals.metric_names else "")
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("source", overflow="fold")
    for trial in best:
        values = [format_value(trial.metrics[name]) for name in names]
        table.add_row(str(trial.proposal.id + 1), *values, trial.proposal.origin.source)
    if best:
        console.print(table)
    for trial in best:  # whole lines, to be copied from the terminal
        line = f"{trial.proposal.id + 1:>5}  {run.problem.space.to_text(trial.arch)}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if not best:
        console.print(run.why_none, style="yellow", markup=False, highlight=False)
    stopped = sum(t.status == "stopped" for t in run.result.trials)
    failed = sum(not t.ok for t in run.result.trials) - stopped
    optimum = run.problem.optimum
    parts = [f"{_counted(run.result.n_evals)} in {run.result.wall_s:.1f} s"]
    if given := len(run.result.trials) - run.result.n_evals:
        parts.append(f"{given} given")
    if run.other_labels:
        parts.append(f"{sum(run.other_labels.values()):,} labels of other runs")
    for name, what in (("feature", "computing features"), ("supernet", "training the supernet")):
        if seconds := sum(t.cost.get(f"{name}_seconds", 0.0) for t in run.result.trials):
            parts.append(f"{seconds:.1f} s {what}")
    if stopped:
        parts.append(f"{stopped} stopped early")
    if failed:
        parts.append(f"{failed} failed")
    if optimum is not None and best:
        regret = abs(optimum - best[0].metrics[goal.metric])
        parts.append("the table's optimum was found" if regret < 1e-12 else f"regret {format_value(regret)}")
    console.print(" · ".join(parts))
    if (run.directory / "report.html").exists():
        console.print(f"Report: {run.directory / 'report.html'}", soft_wrap=True, highlight=False)


def print_decisions(run: Run, console: Console | None = None) -> None:
    """What the best architectures of a run decided: a row for each decision, a column for each evaluation."""
    several = len(run.problem.objectives.objectives) > 1
    best = run.leaders(_FRONT if several else _BEST)
    table = RichTable(title="Decisions", title_justify="left")
    table.add_column("evaluation", overflow="fold")
    for trial in best:
        table.add_column(str(trial.proposal.id + 1), overflow="fold")
    for name, labels in decision_labels(run.problem.space.schema, [t.arch for t in best]).items():
        table.add_row(escape(name), *map(escape, labels))
    if best:
        (console or Console()).print(table)


def print_tracked(place: str, console: Console | None = None) -> None:
    """Where a tracker left what it was told, and how to upload it; nothing where nothing was tracked."""
    if place:
        (console or Console()).print(place, soft_wrap=True, highlight=False, markup=False)


class CompareDisplay:
    """Progress of a comparison: runs done and time left."""

    def __init__(self, config: CompareConfig, console: Console | None = None) -> None:
        self.config, self.console = config, console or Console()
        total = config.seeds * len(config.strategy_names)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} runs"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._task = self._progress.add_task("compare", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def on_run(self, strategy: str, seed: int, done: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, description=f"{strategy}, seed {seed}")

    def on_note(self, text: str) -> None:
        """Say what a person should know of a strategy at this budget."""
        self.console.print(text, style="yellow", soft_wrap=True, highlight=False, markup=False)

    def summarize(self, comparison: Comparison) -> None:
        """The summary as a table, what the tests say, and where the files are."""
        from gennas.report.comparison import columns_of

        columns = [c for c in columns_of(comparison) if c.title != "95 % interval"]  # that is in the files
        table = RichTable(
            title=f"Equal budget: {comparison.budget} evaluations, {comparison.runs}",
            title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False,
            collapse_padding=True,
        )  # fmt: skip
        table.add_column("strategy", overflow="fold")
        for column in columns:
            width = max(len(_narrow(cell.text)) for cell in column.cells)
            title = {"optimum": "found", "evaluations": "evals"}.get(column.title, column.title)
            table.add_column(escape(title), justify="right", overflow="fold", min_width=max(width, min(len(title), 6)))
        table.add_column("s", justify="right")
        for i, (name, wall_s) in enumerate(zip(comparison.strategies, comparison.summary["wall_s"], strict=True)):
            cells = [Text(_narrow(c.cells[i].text), "bold" if c.cells[i].best else "") for c in columns]
            table.add_row(Text(name), *cells, f"{wall_s:.1f}")
        self.console.print(table)
        about = ["Mean ± standard deviation over seeds; rank 1 is the best"]
        if comparison.optimum is not None:
            about.append(f"evals to the optimum, {comparison.budget + 1} where it was missed")
        for line in ("; ".join(about) + ".", *comparison.findings, *self._files(comparison)):
            self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _files(self, comparison: Comparison) -> list[str]:
        """Where everything is."""
        from gennas.workbench.compare_files import FILES

        tables, figures = [name for name in FILES if name != "report.html"], ["curves"]
        if comparison.charged:
            figures.append("curves_seconds")
        if comparison.volumes is not None:
            tables.append("hypervolume.csv")
            figures.append("hypervolume")
        return [
            f"Report: {self.config.out / 'report.html'}",
            f"Tables: {', '.join(tables)}",
            f"Figures: {', '.join(figures)} (.png, .svg, .pdf)",
        ]


def _narrow(text: str) -> str:
    return text.replace(" ± ", "±").replace(" %", "%")


def print_scales(console: Console, trained: TrainedGenerator) -> None:
    """What a generator can be asked for, a line each."""
    for scale in trained.scales:
        span = ""
        if scale.values:
            low, middle, high = (scale.values[i] for i in (0, len(scale.values) // 2, -1))
            span = f", trained on {format_value(low)} … {format_value(middle)} … {format_value(high)}"
        console.print(f"  can be asked for: {scale.metric}{scale.better}…{span}", soft_wrap=True, highlight=False)


def print_metrics(title: str, values: Mapping[str, float], metrics: Mapping[str, Metric]) -> None:
    """Measured values with their units."""
    console = Console()
    console.print(title, soft_wrap=True, highlight=False)
    table = RichTable(box=None)
    for name in ("metric", "value", "unit", "better"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for name, value in values.items():
        table.add_row(name, format_value(value), metrics[name].unit, metrics[name].direction)
    console.print(table)


def print_architecture(space: Space, arch: Architecture, task: str, out: Path | None) -> None:
    """Operations, parameters and FLOPs of an architecture; its drawing goes to ``out``."""
    from gennas.eval.complexity import count_parameters
    from gennas.graph.draw import draw_png, draw_svg
    from gennas.workbench.example import build_example, describe

    console = Console()
    console.print(space.to_text(arch), soft_wrap=True, highlight=False)
    _print_decisions(console, arch)
    if task:
        from gennas.training import make_task

        spec = make_task(task).spec
        module = space.build(arch, spec)
    else:
        spec, (module,) = build_example(space, [arch])
    console.print(f"key {arch.key} · {count_parameters(module):,} parameters ({describe(spec)})")
    if out is not None:
        if out.suffix == ".png":
            draw_png(arch, out)
        else:
            write_atomically(out, draw_svg(arch, space.to_text(arch)))
        console.print(f"Drawing: {out}", soft_wrap=True, highlight=False)


def _print_decisions(console: Console, arch: Architecture) -> None:
    """One row per layer where there are layers, else one per decision."""
    from gennas.graph.layers import layer_table

    schema, layers = arch.schema, layer_table(arch)
    names = ("layer", *layers.columns) if layers else ("slot", "label")
    table = RichTable(*names, box=None)
    if layers is not None:
        if layers.whole:
            console.print(" · ".join(f"{name} {cell.text}" for name, cell in layers.whole), highlight=False)
        for row in layers.rows:
            group = [" · ".join(f"{name} {cell.text}" for name, cell in row.group)] if row.group else []
            table.add_row(row.name, *(group or [cell.text if cell else "" for cell in row.cells]))
    else:
        for t, slot in enumerate(schema.slots):
            place = schema.node_names[slot.target] if slot.is_node and schema.node_names else f"node {slot.target}"
            where = place if slot.is_node else f"edge {slot.source} → {slot.target}"
            table.add_row(where, schema.label(t, int(arch.decisions[t])))
    console.print(table)
