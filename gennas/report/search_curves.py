"""Plots that compare strategies at equal budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.report.charts import PALETTE
from gennas.search.objectives import Objective

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mean_curve", "plot_comparison"]

FloatArray = NDArray[np.float64]
COLUMNS = ("strategy", "seed", "n_evals", "objective", "report")
_DASHES = ("-", "--", "-.", (0, (1, 1.2)))


def mean_curve(curves: pd.DataFrame, column: str, grid: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard error over seeds of a step function, at the points of ``grid`` ``(g,)``.

    A seed's curve keeps its last value until the next row; before its first row it has none, and
    the mean is NaN wherever some seed has none.

    Args:
        curves: rows of one strategy with ``seed``, ``n_evals`` and ``column``.
        column: what to average.
        grid: numbers of evaluations.
    """
    rows = []
    for _, group in curves.sort_values("n_evals", kind="stable").groupby("seed"):
        index = np.searchsorted(group["n_evals"].to_numpy(), grid, side="right") - 1
        values = group[column].to_numpy(dtype=np.float64)
        rows.append(np.where(index >= 0, values[index], np.nan))
    stacked = np.stack(rows)
    spread = stacked.std(0, ddof=1) if len(rows) > 1 else np.zeros(len(grid))
    return stacked.mean(0), spread / np.sqrt(len(rows))


def plot_comparison(
    curves: pd.DataFrame, path: str | Path, objective: Objective, optimum: float | None = None, report: str = ""
) -> None:
    """Draw the mean best-so-far of every strategy, with one standard error over seeds, to an image file.

    Panels: the objective; the regret on a log axis where the optimum is known; the reported metric
    of the incumbent where the curves hold one.

    Args:
        curves: columns ``strategy, seed, n_evals, objective, report``; a row per change of the incumbent.
        path: the image; its suffix (``.png``, ``.svg``, ``.pdf``) says the format.
        objective: what was optimised.
        optimum: its best value that exists.
        report: name of the reported metric.

    Raises:
        ConfigError: columns are missing or there is no row.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    missing = [name for name in COLUMNS if name not in curves.columns]
    if missing or curves.empty:
        raise ConfigError(f"Expected curves with columns {', '.join(COLUMNS)}, missing: {missing or 'all rows'}.")
    panels = [("objective", f"best {objective.metric} so far")]
    if optimum is not None:
        panels.append(("regret", f"regret of {objective.metric}"))
        curves = curves.assign(regret=(optimum - curves["objective"]).abs())
    if curves["report"].notna().all():
        panels.append(("report", f"{report or 'reported metric'} of the incumbent"))
    figure = Figure(figsize=(5.4 * len(panels), 4.4), dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for axis, (column, label) in zip(axes, panels, strict=True):
        _panel(axis, curves, column)
        axis.set_ylabel(label, labelpad=8)
        if column == "regret":
            axis.set_yscale("log")
        elif column == "objective" and optimum is not None:
            axis.axhline(optimum, color="0.35", linewidth=1, linestyle=":", zorder=0)
    _legend(figure, axes, curves)
    figure.savefig(path)


def _panel(axis: Any, curves: pd.DataFrame, column: str) -> None:
    grid = np.unique(curves["n_evals"].to_numpy(dtype=np.int64))
    for index, strategy in enumerate(dict.fromkeys(curves["strategy"])):
        mean, error = mean_curve(curves[curves["strategy"] == strategy], column, grid)
        color, dash = PALETTE[index % len(PALETTE)], _DASHES[index % len(_DASHES)]
        positive = mean > 0 if column == "regret" else np.ones(len(grid), dtype=bool)
        line = np.where(positive, mean, np.nan)
        axis.step(grid, line, where="post", color=color, linestyle=dash, linewidth=1.8, label=strategy)
        low = np.maximum(line - error, line / 10) if column == "regret" else line - error
        axis.fill_between(grid, low, line + error, step="post", color=color, alpha=0.18, linewidth=0)
    if column != "regret":
        _focus(axis, curves, column)
    axis.set_xlabel("evaluations")
    axis.grid(True, color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _focus(axis: Any, curves: pd.DataFrame, column: str) -> None:
    """Leave out the steep start: show what lies between the curves' values at a tenth of the budget and the end."""
    grid = np.unique(curves["n_evals"].to_numpy(dtype=np.int64))
    late = grid[grid >= grid[-1] / 10]
    shown = []
    for _, group in curves.groupby("strategy"):
        mean, error = mean_curve(group, column, late)
        shown += [mean - error, mean + error]
    values = np.concatenate(shown)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.08 * max(high - low, 1e-9)
    axis.set_ylim(low - pad, high + pad)


def _legend(figure: Any, axes: NDArray[np.object_], curves: pd.DataFrame) -> None:
    handles, labels = axes[0].get_legend_handles_labels()
    seeds = curves.groupby("strategy")["seed"].nunique()
    names = [f"{label} ({seeds[label]} seed{'s' if seeds[label] > 1 else ''})" for label in labels]
    figure.legend(handles, names, loc="outside upper left", ncols=min(2 * len(axes), len(names)), frameon=False)
