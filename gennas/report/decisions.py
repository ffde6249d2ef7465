"""Which decisions matter for the objective: a forest's permutation importance, and architectures as parallel paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from gennas.graph import GraphSchema, Population, slot_name
from gennas.report.charts import PALETTE, Figure
from gennas.report.data import RunData

__all__ = ["Importance", "importance_chart", "importance_of", "parallel_chart"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int16]

MIN_TRIALS = 30
MAX_TRIALS = 1500  # that the forest learns from
MAX_BARS = 15
MAX_PATHS = 300
MAX_AXES = 7
_FOLDS = 5
_REPEATS = 3
_TREES = 48
_FIFTHS = ("#8E6BBF", "#3B6FB6", "#2A9D8F", "#B8A900", "#E07A1F")  # from the worst to the best, on white and black


@dataclass(frozen=True)
class Importance:
    r"""How much each decision matters for the rank of the primary objective.

    The permutation importance of Breiman (2001, "Random forests") with trials held out: over five folds a random
    forest learns the normal score :math:`y` of the objective's rank from the one-hot decisions of four, and for the
    fifth

    .. math:: I_t = \frac{\mathrm{MSE}(D \text{ with column } t \text{ shuffled}) - \mathrm{MSE}(D)}{\mathrm{Var}(y)}

    is averaged over folds and shuffles. Decisions that go together share their importance, and trials of a search are
    no fair sample: among what it tried, not in the whole space.

    Shapes: ``shares (d,)``.

    Args:
        shares: :math:`I_t` of each decision, not below 0.
        r2: share of the held-out trials' variance that the forest explains.
        num_trials: how many it saw.
    """

    shares: FloatArray
    r2: float
    num_trials: int

    @property
    def order(self) -> list[int]:
        """Decisions from the most important on, without those that do not matter."""
        ranked = np.argsort(-self.shares, kind="stable")
        return [int(t) for t in ranked if self.shares[t] > 0]


def importance_of(run: RunData) -> Importance | None:
    """Importance of every decision; None with fewer than thirty trials, or where the forest explains nothing."""
    from gennas.models.surrogate import normal_scores

    D, y = _successful(run)
    if len(D) < MIN_TRIALS or np.ptp(y) == 0:
        return None
    rows = np.unique(np.linspace(0, len(D) - 1, min(len(D), MAX_TRIALS)).astype(int))
    D, score = D[rows], normal_scores(y[rows])
    rng = np.random.default_rng(0)
    folds = np.array_split(rng.permutation(len(D)), _FOLDS)
    errors = np.zeros((len(D), D.shape[1] + 1))
    for held_out in folds:
        errors[held_out] = _errors(D, score, held_out, rng)
    mean = errors.mean(0) / score.var()
    r2 = float(1 - mean[0])
    return Importance(np.maximum(mean[1:] - mean[0], 0), r2, len(D)) if r2 > 0 else None


def _errors(D: IntArray, score: FloatArray, held_out: NDArray[np.intp], rng: np.random.Generator) -> FloatArray:
    """Squared errors of held-out rows ``(h, 1 + d)``: as they are, then with each decision shuffled."""
    from sklearn.ensemble import RandomForestRegressor

    kept = np.setdiff1d(np.arange(len(D)), held_out)
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1)
    forest.fit(_one_hot(D, D[kept]), score[kept])
    asked = [D[held_out]]
    for t in range(D.shape[1]):
        for _ in range(_REPEATS):
            shuffled = D[held_out].copy()
            shuffled[:, t] = rng.permutation(shuffled[:, t])
            asked.append(shuffled)
    predicted = forest.predict(_one_hot(D, np.concatenate(asked))).reshape(len(asked), len(held_out))
    squared: FloatArray = (predicted - score[held_out]) ** 2
    shuffles = squared[1:].reshape(D.shape[1], _REPEATS, len(held_out)).mean(1)
    return np.concatenate([squared[:1], shuffles]).T


def _one_hot(known: IntArray, D: IntArray) -> NDArray[np.bool_]:
    """The symbols that occur in ``known``, one column for each of a decision."""
    columns = [D[:, t : t + 1] == np.unique(known[:, t]) for t in range(known.shape[1])]
    return np.concatenate(columns, axis=1)


def importance_chart(run: RunData, importance: Importance) -> Figure | None:
    """Bars of the decisions that matter; hovering tells what each label was worth on average."""
    order = importance.order[:MAX_BARS]
    if not order:
        return None
    D, y = _successful(run)
    schema = run.trials[0].arch.schema
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "importance",
        "y": [escape(slot_name(schema, t)) for t in order],
        "x": [float(importance.shares[t]) for t in order],
        "text": [_worth(run, schema, t, D[:, t], y) for t in order],
        "textposition": "none",
        "hovertemplate": "%{y}: %{x:.3f}<br>%{text}<extra></extra>",
        "marker": {"color": PALETTE[0]},
    }
    layout = {
        "height": 110 + 26 * len(order),
        "xaxis": {"title": {"text": "share of variance lost"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "type": "category"},
    }
    return {"data": [bars], "layout": layout}


def _worth(run: RunData, schema: GraphSchema, t: int, column: IntArray, y: FloatArray) -> str:
    """Mean of the objective by label, the best first."""
    sign = run.objectives.primary.signed
    means = {int(s): float(y[column == s].mean()) for s in np.unique(column)}
    best_first = sorted(means, key=lambda s: -sign(means[s]))
    lines = [f"{escape(schema.label(t, s))}: {means[s]:.4g} on average, {(column == s).sum()} ×" for s in best_first]
    return "<br>".join(lines[:8])


def parallel_chart(run: RunData, axes: Sequence[int]) -> Figure | None:
    """Architectures as paths through their decisions, coloured by the fifth that the objective falls into.

    Drawn are at most ``MAX_PATHS`` distinct architectures: half of them the best, the others evenly taken.

    Args:
        run: whose trials.
        axes: decisions to show, at most ``MAX_AXES`` of them.
    """
    D, y = _successful(run)
    if len(D) < 5 or np.ptp(y) == 0:
        return None
    schema = run.trials[0].arch.schema
    shown = [t for t in axes if len(np.unique(D[:, t])) > 1][:MAX_AXES]
    if not shown:
        return None
    chosen = _distinct_best(D, run.objectives.primary.signed(1.0) * y)
    D, y = D[chosen], y[chosen]
    rank = np.argsort(np.argsort(run.objectives.primary.signed(1.0) * y, kind="stable"), kind="stable")
    fifth = rank * 5 // len(y)
    dimensions = [_axis(schema, t, D[:, t]) for t in sorted(shown)]
    ranges = [f"{y[fifth == i].min():.4g} – {y[fifth == i].max():.4g}" for i in range(5)]
    dimensions.append(
        {
            "label": escape(run.objectives.primary.metric),
            "values": fifth.tolist(),
            "categoryorder": "array",
            "categoryarray": [4, 3, 2, 1, 0],
            "ticktext": ranges[::-1],
        }
    )
    paths = {
        "type": "parcats",
        "dimensions": dimensions,
        "line": {"color": [_FIFTHS[i] for i in fifth], "shape": "hspline"},
        "hoveron": "color",
        "hoverinfo": "count+probability",
        "bundlecolors": True,
        "arrangement": "freeform",
    }
    return {"data": [paths], "layout": {"height": 460, "margin": {"l": 70, "r": 120, "t": 36, "b": 16}}}


def _axis(schema: GraphSchema, t: int, column: IntArray) -> Figure:
    symbols = [int(s) for s in np.unique(column)]
    return {
        "label": escape(slot_name(schema, t)),
        "values": column.tolist(),
        "categoryorder": "array",
        "categoryarray": symbols,
        "ticktext": [escape(schema.label(t, s)) for s in symbols],
    }


def _distinct_best(D: IntArray, utility: FloatArray) -> NDArray[np.intp]:
    """Rows of distinct architectures: the best half, then others evenly taken from the rest."""
    _, first = np.unique(D, axis=0, return_index=True)
    ranked = first[np.argsort(-utility[first], kind="stable")]
    best, rest = ranked[: MAX_PATHS // 2], ranked[MAX_PATHS // 2 :]
    others = rest[np.unique(np.linspace(0, len(rest) - 1, MAX_PATHS // 2).astype(int))] if len(rest) else rest
    return np.concatenate([best, others])


def _successful(run: RunData) -> tuple[IntArray, FloatArray]:
    """Decisions ``(b, d)`` and the primary objective ``(b,)`` of the trials with a finite one."""
    kept = [t for t in run.trials if t.ok and np.isfinite(run.value(t))]
    if not kept:
        return np.empty((0, 0), dtype=np.int16), np.empty(0)
    archs = Population.of(kept[0].arch.schema, [t.arch for t in kept])
    return archs.decisions, np.array([run.value(t) for t in kept])
