"""``gennas report``: a run's report, from its archive alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gennas.workbench.config import TrackingSettings

__all__ = ["SETTINGS", "run"]


@dataclass(frozen=True)
class ReportSettings(TrackingSettings):
    """Write the report of a run again, from its archive alone; --track wandb tells W&B the whole run."""

    run: Path = Path("runs/search")
    """Directory of the run."""
    export: Path | None = None
    """Also write all trials to this .csv, .jsonl or .parquet file."""


SETTINGS = ReportSettings


def run(settings: ReportSettings) -> int:
    """Run the verb."""
    from gennas.cli.terminal import print_run, print_tracked
    from gennas.report import write_report
    from gennas.workbench.run import open_run, replay_run, run_data

    run, archive = open_run(settings.run)
    try:
        write_report(run_data(run, archive), settings.run / "report.html")
        if settings.export is not None:
            archive.export(settings.export)
        if settings.track == "wandb":
            run = replay_run(run, archive, settings)
    finally:
        archive.close()
    print_run(run)
    print_tracked(run.tracked)
    return 0
