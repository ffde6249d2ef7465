"""What the surrogate predicted against what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.report.charts import PALETTE, Figure
from gennas.report.data import RunData

if TYPE_CHECKING:
    from gennas.models.surrogate import HeldOut

__all__ = ["Predictions", "coverage_chart", "predicted_chart", "predictions_of"]

MIN_TRIALS = 5
_LEVELS = np.arange(0.05, 1.0, 0.05).round(2).tolist()
_Z90 = 1.6448536269514722


@dataclass(frozen=True)
class Predictions:
    """What a strategy's surrogate expected of its proposals, and what came of them.

    A strategy writes what it expects of a proposal into its origin's details: ``predicted`` and ``predicted_sd``, mean
    and deviation of the primary objective's normal score. The measured score is that among the values that were known
    when the proposal's round began, turned so that more is better.

    Args:
        numbers: the trials, from 1, ``(k,)``.
        found: predicted and measured scores.
    """

    numbers: NDArray[np.intp]
    found: HeldOut

    @property
    def tau(self) -> float:
        """Kendall's rank correlation of predicted and measured scores."""
        return self.found.tau

    @property
    def coverage_90(self) -> float:
        """Share of the outcomes inside their central 90 % intervals."""
        return self.found.coverage([0.9])[0.9]


def predictions_of(run: RunData) -> Predictions | None:
    """What was predicted of the trials that succeeded; None for fewer than five."""
    from gennas.models.surrogate import HeldOut, normal_scores_among

    sign = run.objectives.primary.signed
    numbers: list[int] = []
    rows: list[tuple[float, float, float]] = []
    known: list[float] = []
    start, last_round = 0, None  # how many values were known when the round began
    for number, trial in enumerate(run.trials, 1):
        origin = trial.proposal.origin
        if origin.round != last_round:
            start, last_round = len(known), origin.round
        if not trial.ok or not np.isfinite(run.value(trial)):
            continue
        value = sign(run.value(trial))
        if start > 1 and {"predicted", "predicted_sd"} <= set(origin.details):
            score = normal_scores_among(np.array(known[:start]), np.array([value]))
            rows.append((origin.details["predicted"], origin.details["predicted_sd"], float(score[0])))
            numbers.append(number)
        known.append(value)
    if len(rows) < MIN_TRIALS:
        return None
    mean, std, scores = np.array(rows).T
    return Predictions(np.array(numbers), HeldOut(mean, std, scores, scores))


def predicted_chart(predictions: Predictions) -> Figure:
    """Every prediction with its central 90 % interval against the measured score; on the diagonal they agree."""
    found = predictions.found
    low = float(min(found.mean.min(), found.scores.min())) - 0.3
    high = float(max(found.mean.max(), found.scores.max())) + 0.3
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": "evaluations",
        "x": found.mean.tolist(),
        "y": found.scores.tolist(),
        "customdata": predictions.numbers.tolist(),
        "error_x": {
            "type": "data",
            "array": (_Z90 * found.std).tolist(),
            "color": "soft",
            "thickness": 0.6,
            "width": 0,
            "visible": len(found.mean) <= 200,
        },
        "hovertemplate": "%{text}<br>evaluation %{customdata}: predicted %{x:.2f}, measured %{y:.2f}<extra></extra>",
        "marker": {"color": PALETTE[0], "size": 7, "opacity": 0.8},
    }
    layout = {
        "height": 380,
        "showlegend": False,
        "xaxis": {"title": {"text": "predicted score"}, "range": [low, high]},
        "yaxis": {"title": {"text": "measured score"}, "range": [low, high]},
    }
    return {"data": [_diagonal(low, high), dots], "layout": layout}


def coverage_chart(predictions: Predictions) -> Figure:
    """Share of measurements inside central predictive intervals, by the intervals' probability."""
    coverage = predictions.found.coverage(_LEVELS)
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "coverage",
        "x": list(coverage),
        "y": list(coverage.values()),
        "hovertemplate": "%{y:.0%} of the outcomes lie in intervals of %{x:.0%}<extra></extra>",
        "line": {"color": PALETTE[0], "width": 2},
        "marker": {"size": 5},
    }
    layout = {
        "height": 380,
        "showlegend": False,
        "xaxis": {"title": {"text": "probability of the interval"}, "range": [0, 1.02], "tickformat": ".0%"},
        "yaxis": {"title": {"text": "outcomes inside"}, "range": [0, 1.02], "tickformat": ".0%"},
    }
    return {"data": [_diagonal(0.0, 1.0), line], "layout": layout}


def _diagonal(low: float, high: float) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "as predicted",
        "x": [low, high],
        "y": [low, high],
        "hoverinfo": "skip",
        "line": {"color": "soft", "width": 1.5, "dash": "dash"},
    }
