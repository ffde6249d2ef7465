"""``gennas llm audit``: what a language model owes to names that it knows, and what to feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gennas.workbench.llm_audit import AuditSettings

if TYPE_CHECKING:
    from gennas.models.llm.audit import Audit

__all__ = ["SETTINGS", "run"]

SETTINGS = AuditSettings


def run(settings: AuditSettings) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import Progress

    from gennas.workbench.llm_audit import audit_model

    console = Console()
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Asking", total=len(settings.conditions) * settings.seeds)

        def on_search(condition: str, seed: int) -> None:
            progress.update(bar, description=condition, advance=1)

        found = audit_model(settings, on_search)
    _print(found, console)
    if settings.out is not None:
        console.print(f"All figures: {settings.out}", soft_wrap=True, highlight=False)
    return 0


def _print(found: Audit, console: object) -> None:
    """A row for each condition, then one for each gap."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gennas.cli.terminal import format_value
    from gennas.models.llm.audit import GAPS

    assert isinstance(console, Console)
    shown = Table(title="Mean percentile of its proposals in the table", title_justify="left")
    for header in ("condition", "percentile", "±", "best", "new", "labels"):
        shown.add_column(header, justify="left" if header == "condition" else "right")
    for name in found.conditions:
        percentiles = found.of(name)
        error = percentiles.std(ddof=1) / len(percentiles) ** 0.5
        best = format_value(float(found.of(name, "best").mean()))
        cells = (f"{percentiles.mean():.1f}", f"{error:.1f}", best, f"{found.of(name, 'new').mean():.0%}")
        shown.add_row(name, *cells, f"{found.of(name, 'labels').mean():.0f}")
    console.print(shown)
    gaps = Table(title="Gaps in points, with 99 % intervals", title_justify="left")
    for header in ("gap", "between", "points"):
        gaps.add_column(header, justify="right" if header == "points" else "left")
    for name, gap in found.gaps.items():
        gaps.add_row(name, " − ".join(GAPS[name]), str(gap))
    if found.verbatim is not None:
        answered = f"{len(found.verbatim.right)} of {found.verbatim.asked} answered"
        gaps.add_row("verbatim", f"true value of 5, {answered}", str(found.verbatim.excess))
    console.print(gaps)
    for note in found.notes:
        console.print(Text(note, style="yellow"))
    console.print(Text(f"{found.model}: {found.verdict}."))
