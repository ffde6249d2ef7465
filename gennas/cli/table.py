"""``gennas table show``: what a table says about an architecture, and its best ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gennas.workbench.tables import TableSettings

if TYPE_CHECKING:
    from gennas.workbench.tables import Listing

__all__ = ["SETTINGS", "run"]

SETTINGS = TableSettings


def run(settings: TableSettings) -> int:
    """Run the verb."""
    from gennas.workbench.tables import list_table

    listing = list_table(settings)
    if settings.best is None:
        _print_row(listing, settings)
        return 0
    for metric in settings.metric or (None,):
        _print_best(listing, settings.best, metric)
    return 0


def _print_row(listing: Listing, settings: TableSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.workbench.tables import find_row

    row = find_row(listing, settings.arch, settings.hash)
    table = Table(box=None, show_header=False)
    for name, value in row.items():
        if name != "arch":
            table.add_row(name, _shown(value))
    console = Console()
    console.print(str(row["arch"]), soft_wrap=True, highlight=False, markup=False)
    console.print(table)


def _print_best(listing: Listing, k: int, metric: str | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gennas.workbench.tables import best_rows

    name, rows = best_rows(listing, k, metric)
    table = Table()
    table.add_column("#", justify="right")
    table.add_column(f"{name} ({listing.directions[name]})", justify="right")
    table.add_column("architecture", overflow="fold")
    for rank, (value, text) in enumerate(zip(rows[name], rows["arch"], strict=True), 1):
        table.add_row(str(rank), _shown(value), Text(str(text)))
    Console().print(table)


def _shown(value: object) -> str:
    from gennas.cli.terminal import format_value

    return format_value(float(value)) if isinstance(value, (int, float)) else str(value)
