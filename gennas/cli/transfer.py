"""``gennas transfer``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.errors import ConfigError

if TYPE_CHECKING:
    from gennas.workbench.transfer import TransferTable

__all__ = ["TransferConfig", "run_transfer"]


@dataclass(frozen=True)
class TransferConfig:
    """Train a run's best architectures, and as many random ones, on other tasks, and see whether rank carries over."""

    run: Path = Path("runs/search")
    """Directory of a search."""
    tasks: str = "digits"
    """Tasks, separated by commas; the run's own may be among them."""
    top: int = 5
    """How many of the run's best architectures, and how many random ones."""
    seeds: int = 3
    """Trainings of each architecture on each task."""
    metric: str = "test_accuracy"
    """What is shown of a training."""
    epochs: int | None = None
    """Training epochs (default: each task's)."""
    data_fraction: float = 1.0
    """Share of the training set used, in (0, 1]."""
    resolution: float = 1.0
    """Scale of image height and width, in (0, 1]."""
    width: float = 1.0
    """Scale of the networks' channels; more than 1 is wider."""
    depth: float = 1.0
    """Scale of the networks' cells (or layers) per stage; more than 1 is deeper."""
    train_option: tuple[str, ...] = ()
    """Changes of each task's recipe, as KEY=VALUE."""
    seed: int = 0
    """Seed of the random architectures."""
    download: bool = False
    """Allow the tasks to download their datasets."""
    out: Path | None = None
    """CSV file of all values (default: transfer.csv in the run directory)."""


def run_transfer(config: TransferConfig) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import Progress

    from gennas.eval.base import Fidelity
    from gennas.search import Trial
    from gennas.workbench.transfer import transfer

    path = config.out or config.run / "transfer.csv"
    with Progress(console=Console()) as progress:
        bar = progress.add_task("Training", total=None)

        def on_trial(trial: Trial, total: int) -> None:
            progress.update(bar, total=total, advance=1)

        table = transfer(
            config.run,
            [name.strip() for name in config.tasks.split(",") if name.strip()],
            top=config.top,
            seeds=config.seeds,
            fidelity=Fidelity(config.epochs, config.data_fraction, config.resolution),
            metric=config.metric,
            train_option=config.train_option,
            scale=(config.width, config.depth),
            seed=config.seed,
            download=config.download,
            on_trial=on_trial,
        )
    try:
        table.rows.to_csv(path, index=False)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error}.") from error
    _print(table, config.metric)
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
