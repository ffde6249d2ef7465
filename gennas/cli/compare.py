"""``gennas compare``: strategies at an equal budget."""

from __future__ import annotations

from gennas.workbench.config import CompareConfig

__all__ = ["SETTINGS", "run"]

SETTINGS = CompareConfig


def run(config: CompareConfig) -> int:
    """Run the verb."""
    from gennas.cli.terminal import CompareDisplay
    from gennas.workbench.compare import compare

    with CompareDisplay(config) as display:
        summary = compare(config, display.on_run)
    display.summarize(summary)
    return 0
