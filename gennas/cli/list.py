"""``gennas list``: what can be named, and what each name can be told."""

from __future__ import annotations

from dataclasses import MISSING, dataclass

from gennas.workbench.listing import Kind
from gennas.workbench.settings import Settings

__all__ = ["SETTINGS", "run"]


@dataclass(frozen=True)
class ListSettings(Settings):
    """List what can be named on the command line; with a name, every option of it with default and meaning.

    More examples:
      gennas list spaces
      gennas list strategies generative
      gennas list tasks mnist
    """

    kind: Kind = "spaces"
    """What to list."""
    name: str = ""
    """One of them, to see its options."""


SETTINGS = ListSettings


def run(settings: ListSettings) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gennas.workbench.listing import list_names, list_options

    console, table = Console(), Table(box=None)
    if not settings.name:
        for name, description in list_names(settings.kind):
            table.add_row(f"[bold]{escape(name)}[/bold]", escape(description))
        console.print(table)
        return 0
    summary, options = list_options(settings.kind, settings.name)
    console.print(f"[bold]{escape(settings.name)}[/bold]  {escape(summary)}", soft_wrap=True, highlight=False)
    for header in ("option", "default", "meaning"):
        table.add_column(header)
    for option in options:
        default = "(needed)" if option.default is MISSING else _shown(option.default)
        table.add_row(f"[bold]{escape(option.name)}[/bold]", escape(default), escape(option.meaning.replace("``", "`")))
    console.print(table if options else "It has no options.")
    return 0


def _shown(default: object) -> str:
    return default if isinstance(default, str) and default else repr(default)
