"""``gennas train-generator``: train a generator on a space, or on finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gennas.workbench.train_generator import TrainGeneratorConfig

if TYPE_CHECKING:
    from rich.console import Console

    from gennas.generators.trained import TrainedGenerator

__all__ = ["SETTINGS", "run"]

SETTINGS = TrainGeneratorConfig


def run(config: TrainGeneratorConfig) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from gennas.workbench.train_generator import train_generator

    console = Console()
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if (stage, total) not in tasks:
                tasks[stage, total] = bar.add_task(stage, total=total)
            bar.update(tasks[stage, total], completed=done)

        trained = train_generator(config, show)
    _print_trained(console, trained, config.out)
    return 0


def _print_trained(console: Console, trained: TrainedGenerator, out: Path) -> None:
    from gennas.cli.terminal import format_value, print_scales

    last = trained.history[-1]
    losses = ", ".join(f"{stage} {format_value(loss)}" for stage, loss in last["last_loss"].items())
    console.print(
        f"[bold]{trained.space.name}[/bold] · {trained.kind} · {last['unlabelled']:,} unlabelled and "
        f"{last['architectures']:,} measured architectures · loss: {losses or '–'} · {last['seconds']:.1f} s",
        soft_wrap=True,
        highlight=False,
    )
    print_scales(console, trained)
    scale = trained.scales[0] if trained.scales else None
    quantile = "0.9q" if scale is not None and scale.direction == "max" else "0.1q"
    wish = "" if scale is None else f' --condition "{scale.metric}{scale.better}{quantile}"'
    console.print(f"Saved: {out}\n  gennas sample --generator {out} --n 10{wish}", soft_wrap=True, highlight=False)
