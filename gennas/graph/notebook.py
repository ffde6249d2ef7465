"""What notebooks show of architectures: drawings and small tables as HTML, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from gennas.graph.architecture import Architecture, Population
from gennas.graph.draw import draw_svg

__all__ = ["drawings_html", "population_html", "table_html"]

_CELL = "text-align:left;padding:2px 10px;vertical-align:top"


def table_html(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of texts and numbers.

    Example:
        >>> "a &lt; b" in table_html(["name"], [["a < b"]])
        True
    """
    head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in headers)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def drawings_html(archs: Iterable[Architecture], captions: Iterable[str]) -> str:
    """Drawings beside one another, each under its caption."""
    figures = (
        '<figure style="display:inline-block;margin:4px 12px 4px 0;max-width:100%;overflow-x:auto">'
        f"<figcaption>{escape(caption)}</figcaption>{draw_svg(arch)}</figure>"
        for arch, caption in zip(archs, captions, strict=True)
    )
    return f"<div>{''.join(figures)}</div>"


def population_html(population: Population, rows: int = 10, drawn: int = 3) -> str:
    """How many there are, the first ``rows`` with key and decisions, and drawings of the first ``drawn``."""
    first = population[:rows]
    table = table_html(
        ["", "key", "decisions"],
        ([i, key, arch.labels] for i, (arch, key) in enumerate(zip(first, first.keys, strict=True))),
    )
    rest = len(population) - len(first)
    more = f"<p>… and {rest:,} more</p>" if rest else ""
    pictures = drawings_html(first[:drawn], (f"{i}: {key}" for i, key in enumerate(first.keys[:drawn])))
    return f"<p>{escape(population.summary)}</p>{table}{more}{pictures}"
