"""``gennas compare``: strategies at an equal budget."""

from __future__ import annotations

from gennas.workbench.config import CompareConfig

__all__ = ["SETTINGS", "run"]

SETTINGS = CompareConfig


def run(config: CompareConfig) -> int:
    """Run the verb."""
    from gennas.cli.terminal import CompareDisplay, print_tracked
    from gennas.workbench.compare import run_comparison

    with CompareDisplay(config) as display:
        comparison = run_comparison(config, display.on_run, display.on_note)
    display.summarize(comparison)
    print_tracked(comparison.tracked)
    return 0
