"""The report in a real browser: headless Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gennas.graph import Architecture
from gennas.report import RunData, SupernetStory, write_report
from gennas.search import Objective, Objectives
from gennas.search.trial import Trial
from gennas.spaces import NASBench201
from gennas.training.supernet import Diagnosis, SupernetRecord
from gennas.training.supernet.diagnostics import rank_inherited
from gennas.workbench.run import read_run, run_data, search

MakeRun = Callable[..., RunData]
ManyTrials = Callable[[int], list[Trial]]
Open = Callable[..., Any]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WORTH = (0.0, 0.3, 0.7, 1.0, 0.2)  # of an operation
TWO = Objectives((Objective("val"), Objective("latency", "min")))
EVIL = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium installed (Debian: apt-get install chromium)")
    driver = pytest.importorskip("playwright.sync_api", reason="no Playwright installed (pip install -e '.[dev]')")
    with driver.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield chromium
        chromium.close()


def cpu_clock(page: Any) -> Callable[[], float]:
    """Seconds of the processor that the page's own thread has used from now on."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return found["TaskDuration"]

    return seconds


@pytest.fixture
def show(browser: Any) -> Iterator[Open]:
    """Open a report and wait until it is drawn; at the end no console may hold an error."""
    pages: list[Any] = []
    errors: list[str] = []

    def open_page(path: Path, width: int = 1280, cpu_time: bool = False, **settings: Any) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, **settings)
        if cpu_time:
            page.cpu_seconds = cpu_clock(page)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


def score(arch: Architecture) -> dict[str, float]:
    if arch.key.startswith("0"):
        raise ValueError("a sixteenth of them fails")
    val = sum(WORTH[int(d)] * (i + 1) for i, d in enumerate(arch.decisions)) / 21
    return {"val": val, "latency": float(1 + (arch.decisions == 3).sum() + 0.5 * (arch.decisions == 2).sum())}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a real search on nasbench201, read again from its archive, with two invented learning curves."""
    out = tmp_path_factory.mktemp("report") / "run"
    options = {"warm_start": 16, "round_size": 8, "pool_size": 100}
    goals = ("val:max", "latency:min")
    search(
        space=NASBench201(),
        evaluator=score,
        objective=goals,
        strategy="bayesian",
        strategy_option=options,
        budget=48,
        out=out,
        report=False,
    )
    run, archive = read_run(out)
    data = run_data(run, archive)
    archive.close()
    curves = {0: {"val_accuracy": [0.1, 0.5, 0.6]}, 9: {"val_accuracy": [0.2, 0.4, 0.7]}}
    write_report(replace(data, curves=curves), out / "report.html")
    return out / "report.html"


def sizes(page: Any, what: str = "Height") -> dict[str, float]:
    """Height (or width) of every chart's drawing, by name."""
    return page.evaluate(
        "what => Object.fromEntries([...document.querySelectorAll('[data-chart]')].map(e =>"
        " [e.dataset.chart, e.querySelector('.main-svg').getBoundingClientRect()[what.toLowerCase()]]))",
        what,
    )


def cells(page: Any, column: str) -> list[str]:
    """What the visible rows of the table of all evaluations hold in a column."""
    heads = page.locator("#trial-table th").all_inner_texts()
    place = next(i for i, head in enumerate(heads) if head.split()[0] == column)
    return page.locator(f"#trial-table tbody tr td:nth-child({place + 1})").all_inner_texts()


def test_everything_is_drawn(show: Open, report: Path) -> None:
    page = show(report)
    expected = {"search", "pareto", "importance", "parallel", "learning0", "predicted", "coverage", "rounds"}
    assert set(sizes(page)) == expected
    assert page.locator("#chart-search .scatterlayer .point").count() > 30
    assert page.locator("#chart-parallel .parcats path.path").count() > 10
    assert "val" in page.locator("#chart-pareto .ytitle").text_content()
    assert page.locator("#best .card svg").count() == 6
    assert "warm start" in page.locator("#sources").inner_text()


def test_charts_keep_their_height_when_the_window_is_resized(show: Open, report: Path) -> None:
    page = show(report)
    before = sizes(page)
    assert (before["search"], before["rounds"], before["parallel"]) == (420, 360, 460)
    for width in (700, 420, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        page.wait_for_timeout(400)
        assert sizes(page) == before
    assert max(sizes(page, "Width").values()) > 1000


def test_charts_fit_the_page_when_printed_and_come_back(show: Open, report: Path) -> None:
    page = show(report, color_scheme="dark")
    before = sizes(page)
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
          const box = (e) => e.querySelector(".main-svg").getBoundingClientRect();
          const charts = [...document.querySelectorAll("[data-chart]")];
          window.printed = {heights: Object.fromEntries(charts.map((e) => [e.dataset.chart, box(e).height])),
            width: Math.max(...charts.map((e) => box(e).width)),
            ink: getComputedStyle(document.body).color,
            label: getComputedStyle(document.querySelector("#chart-search .xtitle")).fill};
        })"""
    )
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000
    printed = page.evaluate("window.printed")
    assert printed["heights"] == before
    assert printed["width"] <= 700
    assert printed["ink"] == printed["label"] == "rgb(27, 31, 36)"  # dark ink on white paper
    page.wait_for_timeout(300)
    assert sizes(page) == before
    assert max(sizes(page, "Width").values()) > 1000


def test_print_media_have_light_colours_and_heights(show: Open, report: Path) -> None:
    page = show(report, color_scheme="dark")
    before = sizes(page)
    page.emulate_media(media="print")
    assert sizes(page) == before
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#trial-table .controls").is_visible()


@pytest.fixture(scope="module")
def with_supernet(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a supernet that was looked at, whose names come from elsewhere."""
    out = tmp_path_factory.mktemp("supernet")
    curves = {f"alpha_entropy/{t:02}_edge_{t}": [1.6, 1.5 - 0.1 * t, 1.2 - 0.1 * t] for t in range(6)}
    curves |= {"alpha_entropy": [1.6, 1.3, 1.0], "skip_share": [0.2, 0.3, 0.4], "train_loss": [2.0, 1.5, 1.0]}
    record = SupernetRecord("s", EVIL, "darts({})", {}, {}, 0, 3, 33.0, "abc", {EVIL: [1.0], **curves}, {})
    scores, sizes = [0.1, 0.2, 0.3, 0.4], [4.0, 2.0, 3.0, 9.0]
    alone = [0.5, 0.6, 0.8, 0.7]
    ranking = rank_inherited(scores, alone, sizes)
    seen = Diagnosis("accuracy", ranking, None, [EVIL, "b", "c", "d"], scores, alone, sizes, 5.0)
    run, archive = read_run(report.parent)
    data = run_data(run, archive)
    archive.close()
    story = SupernetStory(Path("runs/supernet"), "batch", record, diagnosis=seen)
    write_report(replace(data, supernets=(story,)), out / "report.html")
    return out / "report.html"


@pytest.mark.parametrize("width", [1280, 420])
def test_a_supernet_is_drawn_at_every_width_and_printed(show: Open, with_supernet: Path, width: int) -> None:
    page = show(with_supernet, width=width, color_scheme="dark")
    drawn = {name: height for name, height in sizes(page).items() if name.startswith(("supernet", "inherited"))}
    assert len(drawn) == 5 and drawn["supernet0_0"] == drawn["inherited0"] == 380
    assert page.locator("#chart-supernet0_0 .scatterlayer .js-line").count() == 7
    assert page.locator("#chart-inherited0 .scatterlayer .point").count() == 4
    assert page.evaluate("window.hacked") is None and EVIL[:9] in page.locator("#supernet").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in ("#chart-supernet0_0 .legendtext", "#chart-inherited0 .cbtitle text"):
        assert page.locator(selector).first.evaluate("e => getComputedStyle(e).fill") == "rgb(233, 236, 239)"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_charts_follow_the_theme(show: Open, report: Path) -> None:
    page = show(report, color_scheme="dark")

    def color_of(selector: str) -> str:
        return page.locator(selector).first.evaluate("e => getComputedStyle(e).fill")

    labels = [
        "#chart-search .xtitle",
        "#chart-search .legendtext",
        "#chart-parallel .dimlabel",
        "#chart-coverage .ytick text",
    ]
    assert {color_of(label) for label in labels} == {"rgb(233, 236, 239)"}
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(300)
    assert {color_of(label) for label in labels} == {"rgb(27, 31, 36)"}


def test_no_button_sends_data_away(show: Open, report: Path) -> None:
    titles = show(report).locator(".modebar-btn").evaluate_all("all => all.map((e) => e.dataset.title)")
    assert "Download plot as a PNG" in titles and "Zoom" in titles
    assert not [title for title in titles if "hare" in title or "loud" in title]


@pytest.mark.parametrize("width", [320, 420, 1280])
def test_the_page_never_scrolls_sideways(show: Open, report: Path, width: int) -> None:
    page = show(report, width)
    for fold in page.locator("summary").all():
        fold.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#trial-table .scroll")
    assert box.evaluate("e => getComputedStyle(e).overflowX") == "auto"


def test_the_table_sorts_by_any_column(show: Open, report: Path) -> None:
    page = show(report)
    heads = page.locator("#trial-table th")
    assert heads.first.get_attribute("aria-sort") == "ascending"
    assert cells(page, "evaluation") == [str(i) for i in range(1, 26)]
    page.get_by_role("button", name="val", exact=True).click()
    values = [float(v) for v in cells(page, "val")]
    assert values == sorted(values)
    page.get_by_role("button", name="val", exact=True).press("Enter")
    values = [float(v) for v in cells(page, "val")]
    assert values == sorted(values, reverse=True)
    assert page.locator("#trial-table th[aria-sort=descending]").inner_text().startswith("val")
    page.get_by_role("button", name="Next").click()
    assert cells(page, "val")[-1] == "–"  # what is missing is last
    assert page.get_by_role("button", name="Next").is_disabled()


def test_the_table_filters_by_words_and_status(show: Open, report: Path) -> None:
    page = show(report)
    page.locator("#trial-filter").fill("NOR_CONV_3x3~2 ok")
    texts = cells(page, "architecture")
    assert texts and all("nor_conv_3x3~2" in text for text in texts)
    assert "(48 in all)" in page.locator("#trial-count").inner_text()
    page.locator("#trial-filter").fill("no such thing")
    assert page.locator("#trial-table tbody tr").count() == 0
    page.locator("#trial-filter").fill("")
    page.locator("#trial-status").select_option("failed")
    assert set(cells(page, "status")) == {"failed"}
    assert all("a sixteenth" in error for error in cells(page, "error"))


@pytest.mark.parametrize("width", [420, 1280])
@pytest.mark.parametrize("space", ["autoformer-small", "gpt-l", "darts"])
def test_drawings_are_never_too_small_to_read(show: Open, space: str, width: int, tmp_path: Path) -> None:
    """Tables of many layers, and wide cells, which can be scrolled inside of their cards."""
    goals = ("score:max", "cost:min")
    found = search(
        space=space,
        evaluator=lambda arch: {"score": float(arch.decisions.sum()), "cost": float(arch.decisions[:9].sum())},
        objective=goals,
        strategy="random",
        budget=4,
        out=tmp_path / "run",
    )
    page = show(found.directory / "report.html", width)
    page.locator("#pareto summary").click()
    page.locator("#trial-table tbody button").first.click()
    page.wait_for_function("document.querySelector('#picked-trials img')?.style.getPropertyValue('--natural')")
    scales = page.evaluate(
        "[...document.querySelectorAll('.card svg, .card img')].map(e =>"
        " e.getBoundingClientRect().width / (e.naturalWidth || +e.getAttribute('width')))"
    )
    assert len(scales) > 4 and min(scales) > 0.74 and max(scales) <= 1.01
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    left = page.evaluate(  # nothing lies before the beginning of what can be scrolled
        "[...document.querySelectorAll('.drawing')].map(e =>"
        " e.firstElementChild.getBoundingClientRect().left - e.getBoundingClientRect().left)"
    )
    assert min(left) >= 0


def test_a_row_shows_its_architecture(show: Open, report: Path) -> None:
    page = show(report)
    page.locator("#trial-table tbody button").nth(4).click()
    card = page.locator("#picked-trials .card")
    assert "evaluation 5" in card.inner_text()
    assert cells(page, "architecture")[4] in card.inner_text()


def test_a_click_on_a_pareto_point_shows_its_architecture(show: Open, report: Path) -> None:
    page = show(report)
    chart = page.locator("#chart-pareto")
    chart.scroll_into_view_if_needed()
    point = chart.locator(".scatterlayer .trace").last.locator(".point").first
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)
    assert "|+|" in chart.locator(".hoverlayer").text_content()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = page.locator("#picked-pareto .card")
    assert "|+|" in card.locator("code").inner_text()
    assert card.locator("img").evaluate("e => e.decode().then(() => e.naturalWidth)") > 100
    assert page.locator("#pareto details .card svg").count() > 1


def test_ten_thousand_trials_open_within_three_seconds(
    show: Open, make_run: MakeRun, many_trials: ManyTrials, tmp_path: Path
) -> None:
    """Of the processor: whatever else the machine does meanwhile does not count."""
    write_report(make_run(trials=many_trials(10_000), objectives=TWO), tmp_path / "report.html")
    page = show(tmp_path / "report.html", cpu_time=True)
    assert 0.1 < page.cpu_seconds() <= 3
    assert page.locator("#trial-count").inner_text() == "1–25 of 10,000"
    opened = page.cpu_seconds()
    page.get_by_role("button", name="val", exact=True).click()
    page.locator("#trial-filter").fill("skip_connect~0")
    assert page.cpu_seconds() - opened < 2


def test_texts_from_outside_stay_texts(show: Open, make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    trials = [
        replace(
            t,
            proposal=replace(t.proposal, origin=replace(t.proposal.origin, source=EVIL)),
            metrics={EVIL: float(n), EVIL + "2": -float(n)} if t.ok else {},
            cost={"seconds": 1.0, EVIL: 1.0},
            error="" if t.ok else EVIL,
        )
        for n, t in enumerate(run.trials)
    ]
    hostile = replace(
        run,
        config={"space": EVIL, "strategy": {EVIL: EVIL}},
        trials=trials,
        objectives=Objectives((Objective(EVIL), Objective(EVIL + "2"))),
        report_metric=EVIL + "2",
        rounds=[{"n_evals": 4, "validity": 1.0, EVIL: 2.0}],
        curves={0: {EVIL: [1.0, 2.0]}},
        optimum=None,
        texts=lambda arch: EVIL,
        version=EVIL,
    )
    write_report(hostile, tmp_path / "report.html")
    page = show(tmp_path / "report.html")
    page.locator("#trial-table tbody button").first.click()
    dot = page.locator("#chart-pareto .point").first.bounding_box()
    page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    assert cells(page, "architecture") == [EVIL] * 6
    assert EVIL in page.locator("#picked-trials").inner_text()
    assert EVIL in page.locator("#configuration").inner_text()
    assert EVIL in page.locator("#failures").inner_text()
