"""The HTML report: its content, its safety, and how a real browser renders it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gennas.report.data import RunData
from gennas.report.html import write_report
from gennas.search.objectives import Objective, Objectives

MakeRun = Callable[..., RunData]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def without_scripts(html: str) -> str:
    return re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)


def written(run: RunData, folder: Path) -> str:
    write_report(run, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def test_report_shows_the_headline_the_drawings_and_the_tables(make_run: MakeRun, tmp_path: Path) -> None:
    page = without_scripts(written(make_run(), tmp_path))
    assert re.search(r"best val</dt><dd class=\"value\">0.9</dd>", page)
    assert re.search(r"test</dt><dd class=\"value\">0.89</dd>", page)
    assert re.search(r"regret</dt><dd class=\"value\">0.05</dd><dd class=\"hint\">optimum 0.95", page)
    assert page.count('<li class="card">') == 4
    assert page.count("<svg") == 4
    assert [f"{name}</span>" in page for name in ("nasbench201", "generative", "seed 7")] == [True] * 3
    assert "2 of 6 evaluations gave no value" in page
    assert "took longer than 3 s" in page
    assert '<th scope="row">strategy.width</th><td class="wide"><code>64</code></td>' in page
    assert '<th scope="row">joules</th><td class="n">30</td>' in page


def test_report_is_one_file_without_network(make_run: MakeRun, tmp_path: Path) -> None:
    html = written(make_run(), tmp_path)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", without_scripts(html))
    assert not re.findall(r"<script[^>]+src|<link|@import|url\((?!#)", without_scripts(html) + html[:2000])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_texts_from_outside_are_escaped(make_run: MakeRun, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    run = make_run(config={"space": evil, "seed": evil}, texts=lambda arch: evil, version=evil)
    html = written(run, tmp_path)
    assert "<img" not in without_scripts(html)
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(&#39;gotcha&#39;)&lt;/script&gt; &amp; more" in html


def test_secrets_of_the_configuration_are_hidden(make_run: MakeRun, tmp_path: Path) -> None:
    page = written(make_run(config={"llm": {"api_key": "sk-very-secret", "max_tokens": 99}}), tmp_path)
    assert "sk-very-secret" not in page
    assert "(hidden)" in page
    assert "<code>99</code>" in page


def test_a_report_is_replaced_in_one_step(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    assert "best val" in written(make_run(), tmp_path)
    with pytest.raises(RuntimeError, match="no text"):
        write_report(make_run(texts=lambda arch: raise_error()), tmp_path / "report.html")
    assert "best val" in (tmp_path / "report.html").read_text()


def raise_error() -> str:
    raise RuntimeError("no text")


def test_an_empty_run_still_has_a_report(make_run: MakeRun, tmp_path: Path) -> None:
    page = without_scripts(written(make_run(trials=[], rounds=[], config={}, wall_s=0.0), tmp_path))
    assert "No evaluation succeeded" in page
    assert "data-chart" not in page


@pytest.fixture
def dom(tmp_path: Path) -> Callable[[RunData], str]:
    """Render a run's report in a headless browser and return the document it ends up with."""
    if CHROMIUM is None:
        pytest.skip("no chromium installed (Debian: apt-get install chromium)")

    def render(run: RunData) -> str:
        write_report(run, tmp_path / "report.html")
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync --virtual-time-budget=10000 --window-size=1200,2400 --dump-dom"
        )
        command = [str(CHROMIUM), *flags.split(), f"--user-data-dir={tmp_path / 'profile'}"]
        page = (tmp_path / "report.html").as_uri()
        return subprocess.run([*command, page], capture_output=True, text=True, timeout=120, check=True).stdout

    return render


def test_a_browser_draws_the_charts_and_architectures(make_run: MakeRun, dom: Callable[[RunData], str]) -> None:
    run = make_run(objectives=Objectives((Objective("val"), Objective("latency", "min"))))
    page = without_scripts(dom(run))
    assert len(re.findall(r'class="chart js-plotly-plot"', page)) == 3  # search, trade-off, rounds
    assert len(re.findall(r'<path class="js-line"', page)) >= 6  # incumbent, optimum, regret, front, rounds
    assert len(re.findall(r'<path class="point"', page)) >= 8
    drawings = re.findall(r'<div class="drawing"><svg.*?</svg></div>', page, flags=re.DOTALL)
    assert len(drawings) == 4
    assert all("input" in drawing and "output" in drawing for drawing in drawings)
    assert re.search(r"best val</dt><dd class=\"value\">0.9</dd>", page)
    assert "evaluations" in re.findall(r'class="xtitle"[^>]*>([^<]+)<', page)
