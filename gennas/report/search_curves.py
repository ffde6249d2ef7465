"""Plots that compare strategies at equal budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.report.charts import PALETTE
from gennas.runtime.files import draft
from gennas.search.objectives import Objective

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "Panel", "comparison_panels", "draw_panel", "mean_curve", "plot_comparison", "plot_panels",
           "strategy_style"]  # fmt: skip

FloatArray = NDArray[np.float64]
COLUMNS = ("strategy", "seed", "n_evals", "objective", "report")
FORMATS = (".png", ".svg", ".pdf")
_DASHES = ("-", "--", "-.", (0, (1, 1.2)))
_SVG_DASHES = ("none", "9 4", "9 3 2 3", "2 3")
_MAX_SECONDS = 400  # points of a curve over seconds
_LETTERS = 64  # that fit above one panel


@dataclass(frozen=True)
class Panel:
    """One plot of mean curves: a column over another, and what the axes are called."""

    column: str
    label: str
    over: str = "n_evals"
    optimum: float | None = None


def mean_curve(
    curves: pd.DataFrame, column: str, grid: NDArray[Any], over: str = "n_evals"
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard error over seeds of a step function, at the points of ``grid`` ``(g,)``.

    A seed's curve keeps its last value until the next row; before its first row it has none, and
    the mean is NaN wherever some seed has none.

    Args:
        curves: rows of one strategy with ``seed``, ``over`` and ``column``.
        column: what to average.
        grid: numbers of evaluations, or seconds.
        over: the column that ``grid`` is of.
    """
    rows = []
    for _, group in curves.sort_values(over, kind="stable").groupby("seed"):
        index = np.searchsorted(group[over].to_numpy(), grid, side="right") - 1
        values = group[column].to_numpy(dtype=np.float64)
        rows.append(np.where(index >= 0, values[index], np.nan))
    stacked = np.stack(rows)
    spread = stacked.std(0, ddof=1) if len(rows) > 1 else np.zeros(len(grid))
    return stacked.mean(0), spread / np.sqrt(len(rows))


def comparison_panels(
    curves: pd.DataFrame, objective: Objective, optimum: float | None = None, report: str = ""
) -> tuple[pd.DataFrame, list[Panel]]:
    """The panels that a comparison's curves allow, and the curves with the columns that these need.

    The objective; the regret on a log axis where the optimum is known; the reported metric of the
    incumbent where the curves hold one.

    Raises:
        ConfigError: columns are missing or there is no row.
    """
    missing = [name for name in COLUMNS if name not in curves.columns]
    if missing or curves.empty:
        raise ConfigError(f"Expected curves with columns {', '.join(COLUMNS)}, missing: {missing or 'all rows'}.")
    panels = [Panel("objective", f"best {objective.metric} so far", optimum=optimum)]
    if optimum is not None:
        panels.append(Panel("regret", f"regret of {objective.metric}"))
        curves = curves.assign(regret=(optimum - curves["objective"]).abs())
    if curves["report"].notna().all():
        panels.append(Panel("report", f"{report or 'reported metric'} of the incumbent"))
    return curves, panels


def plot_comparison(
    curves: pd.DataFrame, path: str | Path, objective: Objective, optimum: float | None = None, report: str = ""
) -> None:
    """Draw the mean best-so-far of every strategy, with one standard error over seeds, to an image file.

    Args:
        curves: columns ``strategy, seed, n_evals, objective, report``; a row per change of the incumbent.
        path: the image; its suffix (``.png``, ``.svg``, ``.pdf``) says the format.
        objective: what was optimised.
        optimum: its best value that exists.
        report: name of the reported metric.

    Raises:
        ConfigError: columns are missing or there is no row.
    """
    plot_panels(*comparison_panels(curves, objective, optimum, report), path)


def plot_panels(curves: pd.DataFrame, panels: Sequence[Panel], path: str | Path) -> None:
    """Draw panels side by side, with one legend, to an image file; see :func:`plot_comparison`."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(5.4 * len(panels), 4.4), dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for axis, panel in zip(axes, panels, strict=True):
        draw_panel(axis, curves, panel)
    _legend(figure, axes, curves)
    # Type 42: journals refuse the Type 3 fonts that are the default. No date: the same curves give the same file.
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(Path(path).suffix)
    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "gennas"}), draft(Path(path)) as place:
        figure.savefig(place, metadata=undated)


def strategy_style(index: int) -> tuple[str, str]:
    """Colour and ``stroke-dasharray`` of a strategy's line, for a legend in HTML."""
    return PALETTE[index % len(PALETTE)], _SVG_DASHES[index % len(_SVG_DASHES)]


def draw_panel(axis: Any, curves: pd.DataFrame, panel: Panel) -> None:
    """Draw one panel on an axis of matplotlib."""
    column, regret, grid = panel.column, panel.column == "regret", _grid(curves, panel.over)
    for index, strategy in enumerate(_strategies(curves)):
        own = curves[curves["strategy"] == strategy]
        if own.empty:  # it found nothing feasible; the others keep their colours
            continue
        mean, error = mean_curve(own, column, grid, panel.over)
        color, dash = PALETTE[index % len(PALETTE)], _DASHES[index % len(_DASHES)]
        positive = mean > 0 if regret else np.ones(len(grid), dtype=bool)
        line = np.where(positive, mean, np.nan)
        axis.step(grid, line, where="post", color=color, linestyle=dash, linewidth=1.8, label=strategy)
        low = np.maximum(line - error, line / 10) if regret else line - error
        axis.fill_between(grid, low, line + error, step="post", color=color, alpha=0.18, linewidth=0)
    if regret:
        axis.set_yscale("log")
    else:
        _focus(axis, curves, panel, grid)
    if panel.optimum is not None:
        axis.axhline(panel.optimum, color="0.35", linewidth=1, linestyle=":", zorder=0)
    if panel.over == "seconds":
        axis.set_xscale("log")
    else:
        axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel("evaluations" if panel.over == "n_evals" else "seconds of evaluation")
    axis.set_ylabel(panel.label, labelpad=8)
    axis.grid(True, color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _strategies(curves: pd.DataFrame) -> list[str]:
    """In order: the categories, where there are some, else as they come."""
    names = curves["strategy"]
    return [str(name) for name in (names.cat.categories if str(names.dtype) == "category" else dict.fromkeys(names))]


def _grid(curves: pd.DataFrame, over: str) -> NDArray[Any]:
    """Where curves are drawn: at every number of evaluations that a row has, at seconds evenly on a log axis."""
    values = np.unique(curves[over].to_numpy())
    if over == "n_evals":
        return values.astype(np.int64)
    values = values[values > 0]
    return np.geomspace(values[0], values[-1], _MAX_SECONDS) if len(values) else np.ones(1)


def _focus(axis: Any, curves: pd.DataFrame, panel: Panel, grid: NDArray[Any]) -> None:
    """Leave out the steep start: show what lies between the curves' values at a tenth of the budget and the end."""
    late = grid[grid >= grid[-1] / 10]
    shown = []
    for _, group in curves.groupby("strategy", observed=True):
        mean, error = mean_curve(group, panel.column, late, panel.over)
        shown += [mean - error, mean + error]
    values = np.concatenate(shown)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    pad = 0.08 * max(high - low, 1e-9)
    axis.set_ylim(low - pad, high + pad)


def _legend(figure: Any, axes: NDArray[np.object_], curves: pd.DataFrame) -> None:
    handles, labels = axes[0].get_legend_handles_labels()
    seeds = curves.groupby("strategy", observed=True)["seed"].nunique()
    names = [f"{label} ({seeds[label]} seed{'s' if seeds[label] > 1 else ''})" for label in labels]
    names = ["\n".join(wrap(name, _LETTERS - 8)) for name in names]
    widest = max(len(line) for name in names for line in name.split("\n")) + 8  # the line before it
    ncols = max(1, min(2 * len(axes), len(names), _LETTERS * len(axes) // widest))
    figure.legend(handles, names, loc="outside upper left", ncols=ncols, frameon=False)
