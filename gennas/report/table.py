"""All trials of a run in columns, small enough to be embedded in a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from gennas.report.data import RunData

__all__ = ["trial_table"]

_DIGITS = 6


def trial_table(run: RunData, texts: Sequence[str]) -> dict[str, Any]:
    """The columns of the table of trials, each with one entry per trial.

    Statuses and sources are places in a list of their names; numbers have six digits; what is missing is None.

    Args:
        run: whose trials.
        texts: their architectures.
    """
    named = (*run.objectives.metric_names, run.report_metric or "")
    found = dict.fromkeys(name for trial in run.trials for name in trial.metrics)
    metrics = [*(name for name in dict.fromkeys(named) if name in found), *sorted(set(found) - set(named))]
    statuses, status = _coded(t.status for t in run.trials)
    sources, source = _coded(t.proposal.origin.source for t in run.trials)
    return {
        "texts": list(texts),
        "statuses": statuses,
        "status": status,
        "sources": sources,
        "source": source,
        "round": [t.proposal.origin.round for t in run.trials],
        "metrics": [{"name": name, "values": [_short(t.metrics.get(name)) for t in run.trials]} for name in metrics],
        "seconds": [_short(t.cost.get("seconds")) for t in run.trials],
        "errors": {str(n): t.error for n, t in enumerate(run.trials, 1) if t.error},
    }


def _coded(names: Iterable[str]) -> tuple[list[str], list[int]]:
    places: dict[str, int] = {}
    codes = [places.setdefault(name, len(places)) for name in names]
    return list(places), codes


def _short(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    if float(value).is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.{_DIGITS}g}")
