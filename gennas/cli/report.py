"""``gennas report``: a run's report, from its archive alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gennas.workbench.settings import Settings

__all__ = ["SETTINGS", "run"]


@dataclass(frozen=True)
class ReportSettings(Settings):
    """Write the report of a run again, from its archive alone."""

    run: Path = Path("runs/search")
    """Directory of the run."""
    track: Literal["none", "wandb"] = "none"
    """Replay the archive into a tracker."""
    export: Path | None = None
    """Also write all trials to this .csv, .jsonl or .parquet file."""


SETTINGS = ReportSettings


def run(settings: ReportSettings) -> int:
    """Run the verb."""
    from gennas.cli.terminal import print_run
    from gennas.report import write_report
    from gennas.workbench.run import read_run, replay_run, run_data

    run, archive = read_run(settings.run)
    try:
        write_report(run_data(run, archive), settings.run / "report.html")
        if settings.export is not None:
            archive.export(settings.export)
        if settings.track == "wandb":
            replay_run(run, archive)
    finally:
        archive.close()
    print_run(run)
    return 0
