"""Learning curves of trained architectures."""

from __future__ import annotations

from html import escape

import numpy as np

from gennas.report.charts import PALETTE, Figure, finite
from gennas.report.data import RunData

__all__ = ["learning_charts"]

MAX_LINES = 60
NUM_NAMED = 5
MAX_CHARTS = 3


def learning_charts(run: RunData) -> list[tuple[str, Figure]]:
    """For up to three measured names a chart of their values after every epoch.

    The five best trials are named and coloured; of the others at most 55, evenly taken, stand behind them.
    """
    numbers = {t.proposal.id: n for n, t in enumerate(run.trials, 1)}
    curves = {numbers[i]: found for i, found in run.curves.items() if i in numbers}
    names = list(dict.fromkeys(name for found in curves.values() for name in found))
    names.sort(key=lambda name: not name.startswith("val"))
    return [
        (name, _chart(run, name, {n: list(found[name]) for n, found in curves.items() if name in found}))
        for name in names[:MAX_CHARTS]
    ]


def _chart(run: RunData, name: str, curves: dict[int, list[float]]) -> Figure:
    utilities = run.objectives.utilities(run.trials)
    ranked = sorted(curves, key=lambda n: (-utilities[n - 1], n))
    named, rest = ranked[:NUM_NAMED], ranked[NUM_NAMED:]
    places = np.unique(np.linspace(0, len(rest) - 1, min(len(rest), MAX_LINES - NUM_NAMED)).astype(int))
    lines = [_line(n, curves[n], "soft", False) for n in sorted(rest[i] for i in places)]
    lines += [_line(n, curves[n], color, True) for n, color in zip(named, PALETTE, strict=False)]
    axis = {"title": {"text": "epoch"}, "rangemode": "tozero"}
    return {"data": lines, "layout": {"height": 360, "xaxis": axis, "yaxis": {"title": {"text": escape(name)}}}}


def _line(number: int, values: list[float], color: str, is_named: bool) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines" if len(values) > 1 else "markers",
        "name": f"evaluation {number}",
        "showlegend": is_named,
        "x": list(range(1, len(values) + 1)),
        "y": [finite(v) for v in values],
        "opacity": 1.0 if is_named else 0.35,
        "hovertemplate": f"evaluation {number}, epoch %{{x}}: %{{y:.5~g}}<extra></extra>",
        "line": {"color": color, "width": 2 if is_named else 1},
    }
