"""``gennas convert-table``: a benchmark's official file as a table."""

from __future__ import annotations

import shlex

from gennas.workbench.tables import ConvertSettings

__all__ = ["SETTINGS", "run"]

SETTINGS = ConvertSettings
_SHOWN = 12


def run(settings: ConvertSettings) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from gennas.workbench.tables import convert_table

    console = Console(stderr=True)
    columns = (TextColumn("Reading"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        done = convert_table(settings, lambda n, total: bar.update(task, completed=n, total=total))
    _say(f"{done.path}: {done.rows:,} architectures, {len(done.columns)} columns ({done.format})")
    _say(f"Columns: {_some(done.columns)}")
    if done.left_out:
        _say(f"Left out: {_some(done.left_out, '; ')}")
    if done.searchable:
        _say(f"Search it: gennas search --space {done.space} --table {shlex.quote(str(done.path))} --objective …")
    else:
        _say(f"gennas has no space {done.space} yet: `gennas table show` lists the table, a search cannot read it.")
    return 0


def _some(names: tuple[str, ...], comma: str = ", ") -> str:
    more = f"{comma}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return comma.join(names[:_SHOWN]) + more


def _say(text: str) -> None:
    from rich.console import Console

    Console().print(text, soft_wrap=True, highlight=False, markup=False)
