"""The charts of a search, as plotly figures in plain dicts.

The page fills in what depends on the reader: the colours ``ink``, ``soft`` and ``paper``, and the architecture of
every dot, whose ``customdata`` is the number of its trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from gennas.report.data import RunData
from gennas.search.objectives import Constraint, Objective, Objectives
from gennas.search.trial import Trial

__all__ = ["PALETTE", "Figure", "finite", "front", "pareto_chart", "rounds_chart", "search_chart", "thinned"]

Figure = dict[str, Any]
Point = tuple[int, Trial]

# Okabe and Ito (2008): told apart by colour-blind readers, on white and on black.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#8C8C8C")
MAX_DOTS = 2000
ROUND_FIGURES = ("validity", "uniqueness", "novelty", "hit_rate", "surrogate_tau")


def search_chart(run: RunData) -> Figure | None:
    """Every trial as a dot and the incumbent as steps over evaluations; the regret below on a log axis.

    The regret is drawn where the optimum is known; its line ends where it becomes 0.
    """
    points = _successes(run)
    if not points:
        return None
    name = escape(run.objectives.primary.metric)
    data = [*_dots(run, points), _steps(run)]
    layout: Figure = {
        "height": 420,
        "xaxis": {"title": {"text": "evaluations"}, "range": [0, len(run.trials) * 1.02 + 1]},
        "yaxis": {"title": {"text": name}, "range": _focus(run, points)},
    }
    if run.optimum is not None:
        data.append(_level(run.optimum, len(run.trials), "optimum of the table"))
        regret = _regret(run)
        if any(y is not None for y in regret["y"]):
            data.append(regret)
            layout["height"] = 620
            layout["xaxis"]["anchor"] = "y2"
            layout["yaxis"]["domain"] = [0.4, 1.0]
            layout["yaxis2"] = {
                "title": {"text": "regret"}, "type": "log", "domain": [0.0, 0.3], "tickformat": "~g", "dtick": "D2"
            }  # fmt: skip
    return {"data": data, "layout": layout}


def rounds_chart(rounds: Sequence[Mapping[str, float]]) -> Figure | None:
    """Validity, uniqueness, novelty, hit rate and the surrogate's rank correlation per generator round."""
    names = [name for name in ROUND_FIGURES if any(finite(r.get(name)) is not None for r in rounds)]
    if not names:
        return None
    lines = [_round_line(rounds, name, color) for name, color in zip(names, PALETTE, strict=False)]
    low = min(y for name in names for r in rounds if (y := finite(r.get(name))) is not None)
    axis = {"title": {"text": "share (tau: rank correlation)"}, "range": [min(0.0, low) - 0.03, 1.04]}
    x_title = "evaluations so far" if "n_evals" in rounds[0] else "round"
    layout = {"height": 360, "hovermode": "x unified", "xaxis": {"title": {"text": x_title}}, "yaxis": axis}
    return {"data": lines, "layout": layout}


def pareto_chart(run: RunData) -> Figure | None:
    """The first two objectives, or the objective and the first constraint's metric, with the front and the bound."""
    y_metric, x_metric = run.objectives.primary.metric, _second_metric(run)
    points = _successes(run)
    if x_metric is None or not points:
        return None
    members = {n for n, _ in front(run)}
    others = thinned([p for p in points if p[0] not in members])
    feasible = [p for p in others if run.objectives.is_feasible(p[1])]
    infeasible = [p for p in others if not run.objectives.is_feasible(p[1])]
    best = {"color": PALETTE[5], "size": 9}
    data = [
        _cloud(run, infeasible, x_metric, "breaks a constraint", {"color": "#8C8C8C", "symbol": "x", "size": 6}),
        _cloud(run, feasible, x_metric, "feasible", {"color": PALETTE[4], "size": 6, "opacity": 0.55}),
        {
            **_cloud(run, front(run), x_metric, "not dominated", best),
            "mode": "lines+markers" if len(run.objectives.objectives) < 3 else "markers",
            "line": {"color": PALETTE[5], "width": 1.5, "dash": "dot"},
        },
    ]
    axes = {"xaxis": {"title": {"text": escape(x_metric)}}, "yaxis": {"title": {"text": escape(y_metric)}}}
    bounds = [_bound(c, x_metric) for c in run.objectives.constraints if c.metric in (x_metric, y_metric)]
    return {"data": [d for d in data if d["x"]], "layout": {"height": 420, **axes, "shapes": bounds}}


def front(run: RunData) -> list[Point]:
    """The non-dominated trials with their numbers, by the metric of the trade-off's x axis; none without trade-off.

    A constrained metric counts as one to be kept small or large.
    """
    objectives, x_metric = run.objectives, _second_metric(run)
    if x_metric is None:
        return []
    if len(objectives.objectives) == 1:
        bound = next(c for c in objectives.constraints if c.metric == x_metric)
        second = Objective(x_metric, "min" if bound.sense == "<=" else "max")
        objectives = Objectives((objectives.primary, second), objectives.constraints)
    points = _successes(run)
    members = {id(t) for t in objectives.pareto([t for _, t in points])}
    return sorted((p for p in points if id(p[1]) in members), key=lambda p: p[1].metrics[x_metric])


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most ``MAX_DOTS`` of the points, evenly taken."""
    return points[:: -(-len(points) // MAX_DOTS) or 1]


def _second_metric(run: RunData) -> str | None:
    """What the objective is traded off against: the second objective, or the first constraint on another metric."""
    goals, constraints = run.objectives.objectives, run.objectives.constraints
    if len(goals) > 1:
        return goals[1].metric
    return next((c.metric for c in constraints if c.metric != goals[0].metric), None)


def _successes(run: RunData) -> list[Point]:
    return [(n, t) for n, t in enumerate(run.trials, 1) if t.ok]


def _round_line(rounds: Sequence[Mapping[str, float]], name: str, color: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name.replace("_", " "),
        "x": [r.get("n_evals", i) for i, r in enumerate(rounds, 1)],
        "y": [finite(r.get(name)) for r in rounds],
        "line": {"color": color, "dash": "dot" if name == "surrogate_tau" else "solid", "width": 2},
        "hovertemplate": "%{y:.3f}",
    }


def _dots(run: RunData, points: Sequence[Point]) -> list[Figure]:
    """One trace per source, at most ``MAX_DOTS`` dots in all, evenly thinned."""
    by_source: dict[str, list[Point]] = {}
    for point in thinned(points):
        by_source.setdefault(run.source(point[0]), []).append(point)
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": escape(source),
            "x": [n for n, _ in group],
            "y": [run.value(t) for _, t in group],
            "customdata": [n for n, _ in group],
            "hovertemplate": "%{text}<br>evaluation %{x}: %{y:.5~g}<extra>%{fullData.name}</extra>",
            "marker": {
                "color": PALETTE[i % len(PALETTE)],
                "size": 6,
                "opacity": 0.6,
                "symbol": ["circle" if run.objectives.is_feasible(t) else "x-thin-open" for _, t in group],
            },
        }
        for i, (source, group) in enumerate(by_source.items())
    ]


def _steps(run: RunData) -> Figure:
    found = [*run.incumbents, *((len(run.trials), t) for _, t in run.incumbents[-1:])]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "incumbent",
        "x": [n for n, _ in found],
        "y": [run.value(t) for _, t in found],
        "customdata": [n for n, _ in [*run.incumbents, *run.incumbents[-1:]]],
        "hovertemplate": "%{text}<br>best after %{x}: %{y:.5~g}<extra>incumbent</extra>",
        "line": {"shape": "hv", "width": 2.5, "color": "ink"},
    }


def _level(value: float, until: int, name: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [0, until],
        "y": [value, value],
        "hovertemplate": "%{y:.6g}<extra>" + name + "</extra>",
        "line": {"dash": "dash", "width": 1.5, "color": PALETTE[2]},
    }


def _regret(run: RunData) -> Figure:
    found = [*run.incumbents, *((len(run.trials), t) for _, t in run.incumbents[-1:])]
    values = [run.regret(t) for _, t in found]
    reached = next((i for i, v in enumerate(values) if v == 0), None)
    x = [n for n, _ in found]
    y: list[float | None] = [v if v > 0 else None for v in values]
    if reached:  # let the last positive step run up to the evaluation that reached the optimum
        x, y = [*x[:reached], x[reached]], [*y[:reached], y[reached - 1]]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "regret",
        "showlegend": False,
        "x": x,
        "y": y,
        "yaxis": "y2",
        "hovertemplate": "regret %{y:.3g} after %{x}<extra></extra>",
        "line": {"shape": "hv", "width": 2.5, "color": PALETTE[5]},
    }


def _focus(run: RunData, points: Sequence[Point]) -> list[float]:
    """The range where the search happens: the worst tenth of the dots may lie outside."""
    goal = run.objectives.primary
    values = np.array([goal.signed(run.value(t)) for _, t in points])
    top = max(float(values.max()), -np.inf if run.optimum is None else goal.signed(run.optimum))
    low = float(np.quantile(values, 0.1))
    pad = 0.06 * max(top - low, 1e-9 * max(1.0, abs(top)))
    ends = [goal.signed(low - pad), goal.signed(top + pad)]
    return sorted(ends)


def _cloud(run: RunData, points: Sequence[Point], x_metric: str, name: str, marker: Figure) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [t.metrics[x_metric] for _, t in points],
        "y": [run.value(t) for _, t in points],
        "customdata": [n for n, _ in points],
        "hovertemplate": "%{text}<br>evaluation %{customdata}: (%{x:.5~g}, %{y:.5~g})<extra>" + name + "</extra>",
        "marker": marker,
    }


def _bound(constraint: Constraint, x_metric: str) -> Figure:
    line = {"type": "line", "line": {"dash": "dash", "width": 1.5, "color": PALETTE[5]}}
    at = constraint.bound
    if constraint.metric == x_metric:
        return {**line, "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1}
    return {**line, "y0": at, "y1": at, "xref": "paper", "x0": 0, "x1": 1}


def finite(value: float | None) -> float | None:
    """The value, or None where it is not a finite number."""
    return float(value) if value is not None and np.isfinite(value) else None
