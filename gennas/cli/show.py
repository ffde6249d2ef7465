"""``gennas show``: one architecture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gennas.workbench.settings import SpaceSettings

__all__ = ["SETTINGS", "run"]


@dataclass(frozen=True)
class ShowSettings(SpaceSettings):
    """Show one architecture: operations, parameters, and a drawing."""

    arch: str = ""
    """The architecture's text, a published one as @NAME, or a summary.json, whose best architecture is taken."""
    task: str = ""
    """Task whose input and number of classes are used to count parameters and FLOPs (default: one that fits)."""
    out: Path | None = None
    """Write the drawing to this .svg or .png file."""


SETTINGS = ShowSettings


def run(settings: ShowSettings) -> int:
    """Run the verb."""
    from gennas.cli.terminal import print_architecture
    from gennas.workbench.problem import load_architecture, space_from

    space = space_from(settings)
    print_architecture(space, load_architecture(settings.arch, space), settings.task, settings.out)
    return 0
