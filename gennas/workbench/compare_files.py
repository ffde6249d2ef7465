"""The files of a comparison, and what W&B is told of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.runtime.files import draft, write_atomically
from gennas.workbench.config import CompareConfig, SearchConfig
from gennas.workbench.track import wandb_options

if TYPE_CHECKING:
    from gennas.report import Comparison

__all__ = ["FILES", "track", "write"]

FILES = ("summary.csv", "statistics.csv", "tests.csv", "curves.csv", "summary.md", "summary.tex", "report.html")
"""What a comparison always writes, beside its figures."""


def write(out: Path, comparison: Comparison) -> list[Path]:
    """Write every file, and return the figures' PNGs."""
    from gennas.report import plot_comparison, write_comparison
    from gennas.report.comparison import to_latex, to_markdown
    from gennas.report.search_curves import FORMATS, Panel, plot_panels

    frames = {"curves": comparison.curves, "summary": comparison.summary, "statistics": comparison.statistics,
              "tests": comparison.tests, "hypervolume": comparison.volumes}  # fmt: skip
    for name, frame in frames.items():
        if frame is not None:
            with draft(out / f"{name}.csv") as place:
                frame.to_csv(place, index=False)
    goal, figures = comparison.objective, ["curves"]
    for suffix in FORMATS:
        plot_comparison(comparison.curves, out / f"curves{suffix}", goal, comparison.optimum, comparison.report)
        if comparison.charged:
            panel = Panel("objective", f"best {goal.metric} so far", "seconds")
            plot_panels(comparison.curves, [panel], out / f"curves_seconds{suffix}")
        if comparison.volumes is not None:
            plot_panels(comparison.volumes, [Panel("hypervolume", "hypervolume")], out / f"hypervolume{suffix}")
    figures += ["curves_seconds"] if comparison.charged else []
    figures += ["hypervolume"] if comparison.volumes is not None else []
    write_atomically(out / "summary.md", to_markdown(comparison))
    write_atomically(out / "summary.tex", to_latex(comparison))
    write_comparison(comparison, out / "report.html")
    return [out / f"{name}.png" for name in figures]


def track(config: CompareConfig, search: SearchConfig, comparison: Comparison, figures: Sequence[Path]) -> str:
    """Tell W&B the result, in the group of the runs; where it is, for a person."""
    if config.track == "none":
        return ""
    from gennas.tracking import track_comparison

    place = track_comparison(
        wandb_options(search),
        config.out,
        f"{search.wandb_group}-summary",
        config.to_dict(),
        {"summary": comparison.summary, "statistics": comparison.statistics, "tests": comparison.tests},
        figures,
        [config.out / name for name in FILES] + [path.with_suffix(".pdf") for path in figures],
        [*comparison.findings, *comparison.notes],
    )
    if "wandb sync" in place:  # offline: the runs lie in folders of their own
        out = shlex.quote(str(config.out))
        folders = f"{out}/wandb/offline-run-* {out}/runs/*/wandb/offline-run-*"
        return f"W&B, offline: {config.out}/wandb and {config.out}/runs/*/wandb\nUpload: wandb sync {folders}"
    return f"{place} (group {search.wandb_group})" if place else ""
