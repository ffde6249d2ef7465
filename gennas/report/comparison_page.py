"""A comparison as one HTML page that needs no network: figures, table, statistics, tests, settings."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gennas.report.comparison import Comparison, columns_of
from gennas.report.search_curves import Panel, comparison_panels, draw_panel, strategy_style
from gennas.report.statistics import METHODS, format_p
from gennas.runtime.files import write_atomically
from gennas.runtime.secrets import redacted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_comparison"]

_INK, _LINE = "#010203", "#e6e6e6"  # stand for the page's own colours, light or dark


def write_comparison(comparison: Comparison, path: str | Path) -> None:
    """Write the page of a comparison; the file is replaced in one step.

    Args:
        comparison: what to show.
        path: the file.
    """
    environment = Environment(
        loader=PackageLoader("gennas.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(p=format_p, number=_number)
    html = environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        methods=METHODS,
        columns=columns_of(comparison),
        figures=[(panel.label, _svg(curves, panel)) for curves, panel in panels_of(comparison)],
        legend=[(name, *strategy_style(i)) for i, name in enumerate(comparison.strategies)],
        statistics=_records(comparison.statistics),
        friedman=_records(comparison.tests[comparison.tests["test"] == "friedman"]),
        pairs=_records(comparison.tests[comparison.tests["test"] == "wilcoxon"]),
        settings=[(name, _text(value)) for name, value in redacted(comparison.config).items() if value not in _EMPTY],
    )
    write_atomically(Path(path), html)


_EMPTY: tuple[Any, ...] = (None, "", [], (), {})


def panels_of(comparison: Comparison) -> list[tuple[pd.DataFrame, Panel]]:
    """Every panel that the comparison has, with its curves."""
    goal, optimum = comparison.objective, comparison.optimum
    curves, panels = comparison_panels(comparison.curves, goal, optimum, comparison.report)
    found = [(curves, panel) for panel in panels]
    if comparison.charged:
        found.append((curves, Panel("objective", f"best {goal.metric} so far", "seconds")))
    if comparison.volumes is not None:
        found.append((comparison.volumes, Panel("hypervolume", "hypervolume")))
    return found


def _records(frame: pd.DataFrame) -> Sequence[Mapping[Any, Any]]:
    return frame.to_dict("records")


def _svg(curves: pd.DataFrame, panel: Panel) -> Markup:
    """A panel as inline SVG without a background, in the page's colours."""
    import matplotlib
    from matplotlib.figure import Figure

    look: dict[Any, Any] = {
        name: _INK for name in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    }
    look |= {"svg.hashsalt": f"{panel.column}-{panel.over}", "font.size": 12.5}
    with matplotlib.rc_context(look):
        figure = Figure(figsize=(5.4, 3.9), layout="constrained", facecolor="none")
        axis = figure.subplots()
        axis.set_facecolor("none")
        draw_panel(axis, curves, panel)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor").replace(_LINE, "var(--line)")
    return Markup(text)


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.5g}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
