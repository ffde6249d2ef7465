"""What notebooks show of a run, as HTML with every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from gennas.graph.notebook import drawings_html, table_html

if TYPE_CHECKING:
    from gennas.workbench.run import Run

__all__ = ["run_html"]


def run_html(run: Run, rows: int = 5) -> str:
    """The best architectures (the Pareto front, with several objectives), a drawing of the first, the report."""
    goals, space, leaders = run.problem.objectives, run.problem.space, run.leaders(rows)
    names = list(dict.fromkeys([*goals.metric_names, *([run.problem.report] if run.problem.report else [])]))
    table = table_html(
        ["evaluation", *names, "source", "architecture"],
        (
            [
                t.proposal.id + 1,
                *(f"{t.metrics[n]:.5g}" if n in t.metrics else "–" for n in names),
                t.proposal.origin.source,
                space.to_text(t.arch),
            ]
            for t in leaders
        ),
    )
    best = leaders[:1]
    report = run.directory / "report.html"
    link = f'<p><a href="{escape(quote(report.as_posix()))}">report</a></p>' if report.exists() else ""
    drawings = drawings_html([t.arch for t in best], [f"evaluation {t.proposal.id + 1}" for t in best])
    return f"<p>{escape(repr(run))}</p>{table}{drawings}{link}"
