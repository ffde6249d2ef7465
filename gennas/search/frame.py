"""Trials as a pandas table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.errors import ArchiveError, shown
from gennas.graph import decision_labels
from gennas.runtime.files import draft
from gennas.search.trial import Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["trials_frame", "write_frame"]


def trials_frame(trials: Sequence[Trial], space: Space, decisions: bool = False) -> pd.DataFrame:
    """One row per trial: ``id``, ``arch``, ``key``, ``status``, ``source``, ``round``, metrics, ``cost_…``, ``error``.

    Metrics of trials that gave none are NaN.

    Args:
        trials: of one run.
        space: whose architectures they are.
        decisions: add a column for every decision, such as ``edge 0-1`` or ``layer1.op``, that holds the label chosen;
            where a column of that name is there already, ``NAME (decision)``.
    """
    import pandas as pd

    metrics = dict.fromkeys(name for t in trials for name in t.metrics)
    costs = dict.fromkeys(name for t in trials for name in t.cost)
    rows = []
    for t in trials:
        origin = t.proposal.origin
        about = [t.proposal.id, space.to_text(t.arch), t.arch.key, t.status, origin.source, origin.round]
        measured = [*(t.metrics.get(n, math.nan) for n in metrics), *(t.cost.get(n, math.nan) for n in costs)]
        rows.append([*about, *measured, t.error])
    columns = ["id", "arch", "key", "status", "source", "round", *metrics, *(f"cost_{name}" for name in costs), "error"]
    frame = pd.DataFrame(rows, columns=columns)
    if not decisions:
        return frame
    chosen = decision_labels(space.schema, [t.arch for t in trials])
    named = {f"{name} (decision)" if name in columns else name: labels for name, labels in chosen.items()}
    return pd.concat([frame, pd.DataFrame(named)], axis=1)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write trials as ``.csv``, ``.jsonl`` or ``.parquet``, by the path's ending, whole or not at all.

    Raises:
        ArchiveError: another ending, or the folder is not there.
        OutputError: it cannot be written.
    """
    if not path.parent.is_dir():
        raise ArchiveError(f"Cannot write {path}: there is no folder {path.parent}; make it first.")
    if path.suffix not in (".csv", ".jsonl", ".parquet"):
        ending = shown(path.suffix or "no ending")
        raise ArchiveError(f"Expected a path ending in .csv, .jsonl or .parquet, got {ending}.")
    with draft(path) as place:
        match path.suffix:
            case ".csv":
                frame.to_csv(place, index=False)
            case ".jsonl":
                frame.to_json(place, orient="records", lines=True)
            case _:
                frame.to_parquet(place, index=False)
