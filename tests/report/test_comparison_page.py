"""The page of a comparison: everything is in it, nothing is fetched, nothing is trusted."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from gennas.report import Comparison, write_comparison


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in ("meta", "line", "path", "use", "rect", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "line", "path", "use", "rect", "link", "br"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th", "li", "p"):
            self.cells.append(data.strip())


def page(comparison: Comparison, path: Path) -> tuple[str, _Texts]:
    write_comparison(comparison, path)
    text, parser = path.read_text(), _Texts()
    parser.feed(text)
    assert not parser.open
    return text, parser


def test_it_holds_tables_figures_findings_and_notes(make_comparison: Callable[..., Comparison], tmp_path: Path) -> None:
    text, parser = page(make_comparison(), tmp_path / "report.html")
    for words in ("0.750 ± 0.050", "found something", "watch out", "val_acc", "evaluations", "1.5"):
        assert words in parser.cells, words
    assert text.count("<figure") == 3  # objective, regret, reported metric
    assert "prefers-color-scheme: dark" in text and "@media print" in text and "max-width: 640px" in text


def test_it_needs_no_network(make_comparison: Callable[..., Comparison], tmp_path: Path) -> None:
    text, parser = page(make_comparison(), tmp_path / "report.html")
    assert all(address.startswith("#") for address in parser.addresses)
    assert "<script" not in text and "<link" not in text and "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_figures_take_the_pages_colours(make_comparison: Callable[..., Comparison], tmp_path: Path) -> None:
    text, _ = page(make_comparison(), tmp_path / "report.html")
    assert "currentColor" in text and "#010203" not in text and "stroke: var(--line)" in text


def test_names_are_escaped_and_secrets_hidden(make_comparison: Callable[..., Comparison], tmp_path: Path) -> None:
    comparison = make_comparison(names=["<script>alert(1)</script>", "x", "y"], config={"llm": {"api_key": "sk-x"}})
    text, _ = page(comparison, tmp_path / "report.html")
    assert "<script" not in text and "&lt;script&gt;" in text and "sk-x" not in text


def test_seconds_and_hypervolume_get_figures_of_their_own(
    make_comparison: Callable[..., Comparison], tmp_path: Path
) -> None:
    comparison = make_comparison(charged=True)
    volumes = comparison.curves.assign(hypervolume=comparison.curves["objective"])
    text, _ = page(make_comparison(charged=True, volumes=volumes), tmp_path / "report.html")
    assert text.count("<figure") == 5


def test_the_same_comparison_gives_the_same_page(make_comparison: Callable[..., Comparison], tmp_path: Path) -> None:
    assert page(make_comparison(), tmp_path / "a.html")[0] == page(make_comparison(), tmp_path / "b.html")[0]
