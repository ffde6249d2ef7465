"""``gennas search``: search a space."""

from __future__ import annotations

from gennas.workbench.config import SearchConfig

__all__ = ["SETTINGS", "run"]

SETTINGS = SearchConfig


def run(config: SearchConfig) -> int:
    """Run the verb."""
    from gennas.cli.terminal import SearchDisplay
    from gennas.workbench.run import run_search

    with SearchDisplay(config) as display:
        run = run_search(config, [display], on_problem=display.begin)
    display.summarize(run)
    return 0 if any(t.ok for t in run.result.trials) else 1
