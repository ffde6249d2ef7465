"""Weights & Biases: the result of a comparison, beside the runs that it is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.tracking.base import Guard
from gennas.tracking.wandb_run import WandbOptions, open_run, place_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["track_comparison"]


def track_comparison(
    options: WandbOptions | str,
    run_dir: str | Path,
    name: str,
    config: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[Path],
    files: Sequence[Path],
    findings: Sequence[str] = (),
    mode: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """File a finished comparison as one W&B run of job type ``compare``, and say where it is.

    Tables become Tables, figures Images, files an Artifact of type ``comparison``; the summary holds the first
    table's numbers as ``STRATEGY/COLUMN`` and the findings. A failure of W&B warns.

    Args:
        options: where the run goes, with the group of the comparison's searches.
        run_dir: the comparison's directory; with ``config`` it names the run, so that more seeds continue it.
        name: how a person tells the run.
        config: nested plain values.
        tables: by name; the first has a row per strategy.
        figures: PNG files.
        files: what else to keep.
        findings: sentences.
        mode: ``online``, ``offline`` or ``disabled``.
        settings: further fields of ``wandb.Settings``.
    """
    place = ""

    def file() -> None:
        import wandb

        nonlocal place
        run_id = hashlib.blake2b(f"compare:{name}".encode(), digest_size=8).hexdigest()
        run = open_run(
            options, Path(run_dir), job_type="compare", config=config, name=name, run_id=run_id, mode=mode,
            settings=settings,
        )  # fmt: skip
        place = place_of(run, mode)
        try:
            run.log({title: wandb.Table(dataframe=_plain(frame)) for title, frame in tables.items()})
            run.log({f"figure/{figure.stem}": wandb.Image(str(figure)) for figure in figures})
            artifact = wandb.Artifact(f"comparison-{run.id}", type="comparison")
            for path in files:
                artifact.add_file(str(path))
            run.log_artifact(artifact)
            run.summary.update({**_figures(next(iter(tables.values()))), "findings": list(findings)})
        finally:
            run.finish()

    Guard("The comparison's files are complete.")(file)
    return place


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as texts, which W&B can keep."""
    return frame.astype({name: object for name in frame.columns if str(frame[name].dtype) == "category"})


def _figures(table: pd.DataFrame) -> dict[str, float]:
    """The table's numbers by strategy and column."""
    numbers = table.select_dtypes("number").columns
    return {
        f"{row['strategy']}/{column}": float(row[column])
        for _, row in table.iterrows()
        for column in numbers
        if row[column] == row[column]
    }
