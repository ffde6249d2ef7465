"""One self-contained HTML file per run: curves, drawings, trials, credit, failures, configuration and cost."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gennas.graph.draw import draw_svg
from gennas.report.charts import Figure, front, pareto_chart, rounds_chart, search_chart
from gennas.report.data import RunData
from gennas.report.decisions import Importance, importance_chart, importance_of, parallel_chart
from gennas.report.learning import learning_charts
from gennas.report.predictions import Predictions, coverage_chart, predicted_chart, predictions_of
from gennas.report.supernet_charts import inherited_chart, supernet_charts
from gennas.report.table import trial_table
from gennas.runtime.files import write_atomically
from gennas.runtime.secrets import redacted
from gennas.search.trial import Trial

__all__ = ["write_report"]

NUM_DRAWN = 6
MAX_FRONT = 24  # members of the front with a card
MAX_DRAWINGS = 100  # drawings that a click on a dot can show
MAX_FAILURES = 50


def write_report(run: RunData, path: str | Path) -> None:
    """Write the report of a run as one HTML file that needs no network.

    Plotly, the charts and all trials are compressed in it (gzip, about 2 MB in all) and unpacked by the browser. The
    file is replaced in one step: a reader never sees half of it.

    Args:
        run: what to show.
        path: the file, such as ``report.html`` in the run directory.
    """
    path = Path(path)
    environment = Environment(
        loader=PackageLoader("gennas.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=_number, duration=_duration, percent=_percent)
    texts = [run.texts(t.arch) for t in run.trials]
    importance, predictions, learning = importance_of(run), predictions_of(run), learning_charts(run)
    charts = _charts(run, importance, predictions) | {f"learning{i}": figure for i, (_, figure) in enumerate(learning)}
    trained = [[] if story.record is None else supernet_charts(story.record.curves) for story in run.supernets]
    charts |= {f"supernet{k}_{i}": figure for k, found in enumerate(trained) for i, (_, figure) in enumerate(found)}
    charts |= {f"inherited{k}": inherited_chart(s.diagnosis) for k, s in enumerate(run.supernets) if s.diagnosis}
    members, best = front(run), run.best_trials(NUM_DRAWN)
    changed, usual = replace(run, config=redacted(run.config)).changed_settings()
    html = environment.get_template("report.html.j2").render(
        run=run,
        title=_title(run),
        tiles=_tiles(run),
        texts=texts,
        heights={name: figure["layout"]["height"] for name, figure in charts.items()},
        cards=[_card(run, number, trial, texts) for number, trial in best],
        is_ranked=len(run.objectives.objectives) == 1,
        front=[_card(run, number, trial, texts) for number, trial in _spread(members, MAX_FRONT)],
        num_front=len(members),
        importance=importance,
        predictions=predictions,
        learning=[name for name, _ in learning],
        supernets=[(story, [name for name, _ in found]) for story, found in zip(run.supernets, trained, strict=True)],
        charged=run.costs().get("supernet_seconds", 0.0),
        failures=run.failures()[:MAX_FAILURES],
        num_failures=len(run.failures()),
        round_names=list(dict.fromkeys(name for record in run.rounds for name in record)),
        changed=changed,
        usual=usual,
        css=_static("report.css"),
        js=_static("report.js"),
        plotly=_plotly(),
        payload=_packed(
            json.dumps(
                {"figures": charts, "trials": trial_table(run, texts), "drawings": _drawings(run, members)},
                allow_nan=False,
                separators=(",", ":"),
            )
        ),
    )
    write_atomically(path, html)


def _charts(run: RunData, importance: Importance | None, predictions: Predictions | None) -> dict[str, Figure]:
    """The figures by name, without those that have nothing to show."""
    decisions = range(run.trials[0].arch.schema.num_decisions if run.trials else 0)
    found = {
        "search": search_chart(run),
        "pareto": pareto_chart(run),
        "importance": None if importance is None else importance_chart(run, importance),
        "parallel": parallel_chart(run, decisions if importance is None else importance.order),
        "predicted": None if predictions is None else predicted_chart(predictions),
        "coverage": None if predictions is None else coverage_chart(predictions),
        "rounds": rounds_chart(run.rounds),
    }
    return {name: figure for name, figure in found.items() if figure is not None}


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
    charged = sum(t.charged for t in run.trials)
    note = f"best found at {found:,}" if found else "none feasible"
    if given := len(run.trials) - charged:
        note = f"and {given:,} that were given, numbered with them; {note}"
    tiles.append(("evaluations", f"{charged:,}", note))
    if run.other_labels:
        count, runs = sum(run.other_labels.values()), len(run.other_labels)
        tiles.append(
            ("labels of other runs", f"{count:,}", f"of {runs} run{'s' * (runs > 1)}, not among the evaluations")
        )
    costs = run.costs()
    features = costs.get("feature_seconds", 0.0)
    supernet = costs.get("supernet_seconds", 0.0)
    note = f"{_duration(costs.get('seconds', 0.0) - features - supernet)} evaluating"
    note += f", {_duration(features)} computing features" if features else ""
    tiles.append(("wall time", _duration(run.wall_s), note))
    if supernet:
        tiles.append(("supernet", _duration(supernet), "of training before the search, charged to it"))
    return tiles


def _card(run: RunData, number: int, trial: Trial, texts: Sequence[str]) -> dict[str, Any]:
    named = (*run.objectives.metric_names, run.report_metric or "")
    first = [name for name in named if name in trial.metrics]
    svg = draw_svg(trial.arch, "").replace('id="arrow-', f'id="arrow{number}-').replace("(#arrow-", f"(#arrow{number}-")
    svg = re.sub(r'width="(\d+)"', r'width="\1" style="--natural: \1px"', svg, count=1)  # how small it may become
    return {
        "svg": Markup(svg),
        "text": texts[number - 1],
        "number": number,
        "source": run.source(number),
        "metrics": [(name, trial.metrics[name]) for name in dict.fromkeys((*first, *sorted(trial.metrics)))],
    }


def _drawings(run: RunData, members: Sequence[tuple[int, Trial]]) -> dict[str, str]:
    """Drawings by trial: of the front, the incumbents and the best, at most ``MAX_DRAWINGS``."""
    wanted = [*_spread(members, MAX_DRAWINGS // 2), *run.incumbents, *run.best_trials(MAX_DRAWINGS)]
    chosen = list(dict(wanted).items())[:MAX_DRAWINGS]
    return {str(number): draw_svg(trial.arch) for number, trial in chosen}


def _spread(points: Sequence[tuple[int, Trial]], n: int) -> Sequence[tuple[int, Trial]]:
    """At most ``n`` of the points, evenly taken, both ends among them."""
    if len(points) <= n:
        return points
    return [points[i * (len(points) - 1) // (n - 1)] for i in range(n)]


def _static(name: str) -> Markup:
    return Markup(files("gennas.report").joinpath("templates", name).read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _plotly() -> Markup:
    from plotly.offline import get_plotlyjs

    return _packed(get_plotlyjs())


def _packed(text: str) -> Markup:
    """Gzip in base 64: nothing in it can end the element it stands in."""
    return Markup(base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode())


def _number(value: float) -> str:
    """Five digits, thousands apart, no exponent for what is neither huge nor tiny.

    >>> [_number(v) for v in (91.23456, 1234567.8, 3.0, 0.00012, 1e-7)]
    ['91.235', '1,234,568', '3', '0.00012', '1e-07']
    """
    if (float(value).is_integer() and abs(value) < 1e15) or 1e5 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.5g}"


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
