"""One self-contained HTML file per run: curves, drawings, credit, failures, configuration and cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gennas.graph.draw import draw_svg
from gennas.report.charts import Figure, pareto_chart, rounds_chart, search_chart
from gennas.report.data import RunData
from gennas.runtime.files import write_atomically
from gennas.runtime.secrets import redacted
from gennas.search.trial import Trial

__all__ = ["write_report"]

NUM_DRAWN = 6
MAX_FAILURES = 50


def write_report(run: RunData, path: str | Path) -> None:
    """Write the report of a run as one HTML file that needs no network.

    The file is replaced in one step: a reader never sees half of it.

    Args:
        run: what to show.
        path: the file, such as ``report.html`` in the run directory.
    """
    from plotly.offline import get_plotlyjs

    path = Path(path)
    environment = Environment(
        loader=PackageLoader("gennas.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=_number, duration=_duration, percent=_percent)
    template = environment.get_template("report.html.j2")
    charts = {"search": search_chart(run), "pareto": pareto_chart(run), "rounds": rounds_chart(run.rounds)}
    html = template.render(
        run=run,
        title=_title(run),
        tiles=_tiles(run),
        charts={name: _json(figure) for name, figure in charts.items() if figure is not None},
        cards=[_card(run, number, trial) for number, trial in run.best_trials(NUM_DRAWN)],
        failures=run.failures()[:MAX_FAILURES],
        num_failures=len(run.failures()),
        round_names=list(dict.fromkeys(name for record in run.rounds for name in record)),
        settings=list(replace(run, config=redacted(run.config)).settings()),
        plotlyjs=Markup(get_plotlyjs()),
    )
    write_atomically(path, html)


def _title(run: RunData) -> list[str]:
    """Space, data, strategy and seed, as far as the configuration names them."""
    parts = []
    for name in ("space", "task", "table", "strategy", "seed"):
        value = run.config.get(name)
        value = value.get("name") if isinstance(value, dict) else value
        if value is not None:
            parts.append(
                f"seed {value}" if name == "seed" else Path(str(value)).name if name == "table" else str(value)
            )
    return parts or ["search"]


def _tiles(run: RunData) -> list[tuple[str, str, str]]:
    """Label, value and note of the headline figures."""
    goal, best = run.objectives.primary, run.best
    arrow = "higher is better" if goal.direction == "max" else "lower is better"
    tiles = [(f"best {goal.metric}", "none" if best is None else _number(run.value(best)), arrow)]
    if best is not None and run.optimum is not None:
        regret = run.regret(best)
        note = "the optimum is reached" if regret == 0 else f"optimum {_number(run.optimum)}"
        tiles.append(("regret", _number(regret), note))
    if best is not None and run.report_metric in best.metrics:
        tiles.append(
            (run.report_metric or "", _number(best.metrics[run.report_metric or ""]), "not seen by the search")
        )
    found = run.incumbents[-1][0] if run.incumbents else 0
    tiles.append(("evaluations", f"{len(run.trials):,}", f"best found at {found:,}" if found else "none feasible"))
    tiles.append(("wall time", _duration(run.wall_s), f"{_duration(run.costs().get('seconds', 0.0))} evaluating"))
    return tiles


def _card(run: RunData, number: int, trial: Trial) -> dict[str, Any]:
    text = run.texts(trial.arch)
    named = (*run.objectives.metric_names, run.report_metric or "")
    first = [name for name in named if name in trial.metrics]
    return {
        "svg": Markup(draw_svg(trial.arch, "")),
        "text": text,
        "number": number,
        "source": trial.proposal.origin.source,
        "metrics": [(name, trial.metrics[name]) for name in dict.fromkeys((*first, *sorted(trial.metrics)))],
    }


def _json(figure: Figure) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(figure, allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026"))


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.5g}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
