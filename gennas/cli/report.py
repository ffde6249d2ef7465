"""``gennas report``: a run's report, from its archive alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gennas.workbench.config import TrackingSettings
from gennas.workbench.settings import NO_OPTIONS, OptionMap, Part, Switch, TrustSettings

__all__ = ["SETTINGS", "run"]


@dataclass(frozen=True)
class ReportSettings(TrackingSettings, TrustSettings):
    """Write the report of a run again, from its archive alone; --track wandb tells W&B the whole run.

    A run that names code of its own, and that somebody else made, is read with --trust, or with a space and a task of
    yours in place of its own.
    """

    parts: ClassVar[tuple[str, ...]] = ("space", "task")

    run: Path = Path("runs/search")
    """Directory of the run."""
    export: Path | None = None
    """Also write all trials to this .csv, .jsonl or .parquet file."""
    decisions: Switch = False
    """List what the best architectures decided; in the file of --export every decision is a column."""
    space: Part | None = None
    """Search space in place of the one that the run names."""
    space_option: OptionMap = NO_OPTIONS
    """Its arguments, as KEY=VALUE."""
    task: Part | None = None
    """Task in place of the one that the run names."""


SETTINGS = ReportSettings


def run(settings: ReportSettings) -> int:
    """Run the verb."""
    from gennas.cli.terminal import print_decisions, print_run, print_tracked
    from gennas.report import write_report
    from gennas.workbench.run import read_run, run_data
    from gennas.workbench.track import replay_run

    own = {} if settings.space is None else {"space": settings.space, "space_option": settings.space_option}
    run, archive = read_run(settings.run, settings.trust, task=settings.task, **own)
    try:
        write_report(run_data(run, archive), settings.run / "report.html")
        if settings.export is not None:
            archive.export(settings.export, settings.decisions)
        if settings.track == "wandb":
            run = replay_run(run, archive, settings)
    finally:
        archive.close()
    print_run(run)
    if settings.decisions:
        print_decisions(run)
    print_tracked(run.tracked)
    return 0
