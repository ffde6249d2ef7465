"""Trials as a pandas table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gennas.search.trial import Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["trials_frame"]


def trials_frame(trials: Sequence[Trial], space: Space) -> pd.DataFrame:
    """One row per trial: ``id``, ``arch``, ``key``, ``status``, ``source``, ``round``, metrics, ``cost_…``, ``error``.

    Metrics of trials that gave none are NaN.
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
    return pd.DataFrame(rows, columns=columns)
