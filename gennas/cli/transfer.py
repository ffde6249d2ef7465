"""``gennas transfer``: train a run's best architectures on other tasks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gennas.errors import ConfigError
from gennas.runtime.files import draft
from gennas.workbench.transfer import TransferSettings

if TYPE_CHECKING:
    from gennas.workbench.transfer import TransferTable

__all__ = ["SETTINGS", "run"]

SETTINGS = TransferSettings


def run(settings: TransferSettings) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import Progress

    from gennas.search import Trial
    from gennas.workbench.transfer import transfer_chosen

    path, console = settings.out or settings.run / "transfer.csv", Console()
    if not path.parent.is_dir():
        raise ConfigError(f"Cannot write {path}: there is no folder {path.parent}; make it first.")

    def on_start(what: str) -> None:
        console.print(what, soft_wrap=True, highlight=False)

    with Progress(console=console) as progress:
        bar = progress.add_task("Training", total=None)

        def on_trial(trial: Trial, total: int) -> None:
            progress.update(bar, total=total, advance=1)

        table = transfer_chosen(settings, on_start, on_trial)
    with draft(path) as place:
        table.rows.to_csv(place, index=False)
    _print(table, settings.metric)
    Console().print(f"All values: {path}", soft_wrap=True, highlight=False)
    return 0


def _plus_minus(value: float, spread: float) -> str:
    """A value and its spread, where there is one."""
    from gennas.cli.terminal import format_value

    return format_value(value) + ("" if math.isnan(spread) else f" ± {spread:.2g}")


def _print(table: TransferTable, metric: str) -> None:
    """Architectures by tasks, then one line per task."""
    from rich.console import Console
    from rich.table import Table

    from gennas.cli.terminal import format_value

    console, means = Console(), table.means
    tasks = list(dict.fromkeys(means["task"]))
    shown = Table("group", title=f"{metric}: mean ± standard deviation over seeds", title_justify="left")
    for header in ("source", *tasks):
        shown.add_column(header, justify="right")
    shown.add_column("architecture", overflow="fold")
    for (group, arch), part in means.groupby(["group", "arch"], sort=False):
        cells = [_plus_minus(row["mean"], row["std"]) for row in part.to_dict("records")]  # in the order of tasks
        shown.add_row(str(group), format_value(float(part["source"].iloc[0])), *cells, str(arch))
    console.print(shown)
    summary = Table("task", title="Does rank carry over?", title_justify="left")
    for header in ("architectures", "Kendall tau with source", "p", "top", "random", "top better by"):
        summary.add_column(header, justify="right")
    for row in table.correlations().to_dict("records"):
        numbers = [format_value(row[name]) for name in ("tau", "p", "top", "random")]
        summary.add_row(str(row["task"]), str(row["n"]), *numbers, _plus_minus(row["gain"], row["gain_se"]))
    console.print(summary)
    failed = table.rows[table.rows["status"] != "ok"]
    for row in failed.head(5).to_dict("records"):
        console.print(f"[yellow]{row['task']}, seed {row['seed']}: {row['error']}[/yellow]", soft_wrap=True)
    console.print("± of the last column: standard error over architectures.")
