"""``gennas train-supernet``: train the shared weights of a space's networks."""

from __future__ import annotations

from collections.abc import Mapping

from gennas.workbench.supernet import TrainSupernetSettings

__all__ = ["SETTINGS", "run"]

SETTINGS = TrainSupernetSettings


def run(settings: TrainSupernetSettings) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from gennas.cli.terminal import format_value, print_tracked
    from gennas.training.supernet.records import line_of
    from gennas.workbench.supernet import train_supernet

    console = Console()
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        shown = bar.add_task("epochs", total=settings.epochs)

        def show(epoch: int, values: Mapping[str, float]) -> None:
            bar.update(shown, completed=epoch, description=line_of(values))

        def show_network(number: int, _: object, score: float) -> None:
            said = f"alone · network {number} · {format_value(score)}"
            bar.update(shown, total=settings.diagnose, completed=number, description=said)

        trained = train_supernet(settings, show, show_network)
    record = trained.record
    method = record.method.partition("(")[0]
    console.print(
        f"[bold]{trained.space.name}[/bold] · {trained.task} · {method} · {record.epochs} epochs "
        f"in {record.seconds:.1f} s, which every search by it is charged with",
        soft_wrap=True,
        highlight=False,
    )
    console.print(
        f"Saved: {trained.directory}\n  gennas search --evaluator supernet --supernet {trained.directory}",
        soft_wrap=True,
        highlight=False,
    )
    if trained.diagnosis is not None:
        for line in trained.diagnosis.lines:
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    print_tracked(trained.tracked, console)
    return 0
