"""``gennas export``: write a network to a file that is used without gennas."""

from __future__ import annotations

from gennas.workbench.export import ExportSettings

__all__ = ["SETTINGS", "run"]

SETTINGS = ExportSettings


def run(settings: ExportSettings) -> int:
    """Run the verb."""
    from rich.console import Console

    from gennas.workbench.export import export

    done = export(settings)
    console = Console()
    console.print(done.chosen.described, soft_wrap=True, highlight=False)
    size = done.path.stat().st_size
    console.print(f"{done.path} · {settings.to} · {size:,} bytes", soft_wrap=True, highlight=False)
    where = ", ".join(str(size) for size in done.sizes)
    console.print(
        f"Read back: largest difference of outputs {done.difference:.2g} on {where} examples", highlight=False
    )
    if settings.weights is None and settings.to != "source":
        console.print("[yellow]No --weights were given: these are freshly initialised.[/yellow]")
    return 0
