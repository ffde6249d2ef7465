"""``gennas proxies list``, ``score`` and ``correlate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gennas.runtime.files import draft
from gennas.workbench.score import ProxySettings

if TYPE_CHECKING:
    from gennas.eval.correlation import Interval
    from gennas.graph import Architecture
    from gennas.spaces import Space
    from gennas.workbench.correlate import Correlations
    from gennas.workbench.score import PopulationScores

__all__ = ["SETTINGS", "run"]

SETTINGS = ProxySettings

_SHOWN = 20
HEADERS = ("Kendall", "Spearman", "nDCG", "P@5 %", "rho@10 %", "tau@10 %")
_WITH_INTERVAL = ("kendall", "ndcg")  # on the screen; the file has all intervals


def run(settings: ProxySettings) -> int:
    """Run the verb."""
    actions = {"list": _list, "score": _score, "correlate": _correlate}
    actions[settings.action](settings)
    return 0


def _list(settings: ProxySettings) -> None:
    _print_proxies()


def _score(settings: ProxySettings) -> None:
    from gennas.workbench.score import score_chosen

    space, archs, scores = score_chosen(settings)
    _print_scores(space, archs, scores)
    if settings.out is not None:
        frame = scores.to_dataframe()
        frame.insert(0, "arch", [space.to_text(arch) for arch in archs])
        with draft(settings.out) as place:
            frame.assign(protocol=scores.protocol.identity).to_csv(place, index=False)
    scores.require_any()


def _correlate(settings: ProxySettings) -> None:
    from gennas.workbench.correlate import correlate_scores

    found = correlate_scores(settings)
    _print_correlations(found, settings)
    if settings.out is not None:
        with draft(settings.out) as place:
            found.rows.to_csv(place, index=False)


def _print_proxies() -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.eval.proxies import PROXIES

    table = Table(box=None)
    for header in ("proxy", "better", "scale", "needs", "for", "what it computes"):
        table.add_column(header)
    for name in PROXIES:
        cls = PROXIES.get(name)
        summary = (cls.__doc__ or "").strip().partition("\n")[0]
        needs = ", ".join(sorted(cls.needs)) or "–"
        table.add_row(f"[bold]{name}[/bold]", cls.direction, cls.scale, needs, cls.domain, summary)
    Console().print(table)


def _print_scores(space: Space, archs: Sequence[Architecture], scores: PopulationScores) -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.cli.terminal import format_value

    console, shown = Console(), archs[:_SHOWN]
    columns = {name: [format_value(float(x)) for x in values[: len(shown)]] for name, values in scores.columns.items()}
    needed = sum(max(map(len, (name, *values))) + 3 for name, values in columns.items())
    numbers = [str(i + 1) for i in range(len(shown))]
    table = Table()
    if needed + 6 <= console.width:  # one row for each architecture
        for name in ("", *columns):
            table.add_column(name, justify="right")
        for row in zip(numbers, *columns.values(), strict=True):
            table.add_row(*row)
    else:
        for name in ("proxy", *numbers):
            table.add_column(name, justify="left" if name == "proxy" else "right")
        for name, values in columns.items():
            table.add_row(name, *values)
    console.print(table)
    for number, arch in zip(numbers, shown, strict=True):  # whole lines, to be copied from the terminal
        console.print(f"{number:>5}  {space.to_text(arch)}", soft_wrap=True, highlight=False, markup=False)
    more = f" · the first {_SHOWN} of {len(archs)} are shown" if len(archs) > _SHOWN else ""
    console.print(f"{scores.protocol.identity} · {scores.cached} from the cache{more}", soft_wrap=True, highlight=False)
    for i, error in list(scores.errors.items())[:5]:
        console.print(f"[yellow]{space.to_text(archs[i])}: {error}[/yellow]", soft_wrap=True)


def _cell(interval: Interval, with_ends: bool) -> str:
    if not np.isfinite(interval.value):
        return "–"
    return str(interval) if with_ends else f"{interval.value:.3f}"


def _print_correlations(found: Correlations, settings: ProxySettings) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("score", overflow="fold")
    for header in ("n", *HEADERS):
        table.add_column(header, justify="right")
    for row in found.rows.to_dict("records"):
        name = str(row["score"])
        shown = (
            [_cell(i, m in _WITH_INTERVAL) for m, i in found.intervals[name].items()] if name in found.intervals else []
        )
        style = {"baseline": "bold", "combination": "cyan"}.get(str(row["kind"]))
        table.add_row(name, str(row["n"]), *shown, style=style)
    console = Console()
    console.print(table)
    console.print(
        f"{found.n} architectures; target {settings.target}; {settings.resamples} bootstrap resamples, seed "
        f"{settings.seed}; scores: {found.protocol}. nDCG of the best 1,000; P@5 %: precision at the top 5 %; rho and "
        "tau@10 %: within the true top 10 %. In bold: baselines; an empty one has no column here.",
        highlight=False,
        soft_wrap=True,
    )
