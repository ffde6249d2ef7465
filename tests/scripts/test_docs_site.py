"""The documentation site builds without a warning, loads nothing from elsewhere, and its links lead somewhere."""

from __future__ import annotations

import doctest
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr[-3000:]
    return folder


def check(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_links", folder], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_links_lead_somewhere(site: Path) -> None:
    assert check(site) == (0, "all links lead somewhere\n")


def test_every_page_and_every_room_is_there(site: Path) -> None:
    pages = {p.relative_to(ROOT / "docs").with_suffix(".html") for p in (ROOT / "docs").rglob("*.md")}
    assert all((site / page).exists() for page in pages)
    rooms = {p.parent.name for p in (ROOT / "gennas").glob("*/__init__.py")} - {"cli", "runtime"}
    assert rooms <= {p.stem for p in (ROOT / "docs" / "api").glob("*.md")}


def test_docstrings_are_read_as_markdown(site: Path) -> None:
    text = (site / "api" / "search.html").read_text()
    assert 'id="gennas.search.Strategy.ask"' in text and "Ask and tell" not in text
    for page in (site / "api").glob("*.html"):
        html = page.read_text()
        assert not any(role in html for role in (":class:", ":meth:", ":func:", ":attr:", ".. math::")), page.name
        assert "&gt;&gt;&gt; " not in html or "language-pycon" in html or "<pre" in html


def test_roles_and_formulas_become_markdown() -> None:
    spec = importlib.util.spec_from_file_location("docs_roles", ROOT / "scripts" / "docs_roles.py")
    roles = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(roles)
    assert doctest.testmod(roles).failed == 0
    assert roles.as_markdown("Example:\n    >>> 1\n\n``a``, :data:`~gennas.search.X`") == (
        'Examples:\n    >>> 1\n\n`a`, <autoref identifier="gennas.search.X" optional>`gennas.search.X`</autoref>'
    )


def test_the_tutorial_is_shown_as_it_is(site: Path) -> None:
    assert (site / "tutorial.py").read_text() == (ROOT / "docs" / "tutorial.py").read_text()
    assert "TrainEvaluator" in (site / "tutorial.html").read_text()


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a id="here" href="b.html#there">1</a><a href="#here">2</a><a href="https://example.org/x">3</a>'
        '<a href="b.html#nowhere">4</a><a href="c.html">5</a><a href="https://">6</a><a href="/b.html">7</a>'
        '<img src="https://example.org/x.png">'
    )
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    code, said = check(tmp_path)
    assert code == 1 and said.splitlines() == [
        "a.html: loads https://example.org/x.png",
        "a.html: b.html#nowhere: no such anchor",
        "a.html: c.html: no such file",
        "a.html: https://: not an address",
        "a.html: /b.html: an absolute path, which depends on where the site stands",
    ]
    assert check(tmp_path / "empty")[0] == 1


def test_the_site_is_configured_to_need_no_network() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert (
        settings["theme"]["font"] is False
        and settings["strict"] is True
        and "site/" in (ROOT / ".gitignore").read_text()
    )
