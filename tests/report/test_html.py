"""The HTML report: its content and its safety; what a browser makes of it is in test_browser.py."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gennas.report.data import RunData
from gennas.report.html import _number, write_report
from gennas.search.objectives import Objective, Objectives
from gennas.search.trial import Trial

MakeRun = Callable[..., RunData]


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


def test_given_measurements_are_no_evaluations(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    first = run.trials[0]
    origin = replace(first.proposal.origin, source="given")
    given = replace(first, proposal=replace(first.proposal, origin=origin))
    page = without_scripts(written(make_run(trials=[given, *run.trials[1:]]), tmp_path))
    assert re.search(r"evaluations</dt><dd class=\"value\">5</dd><dd class=\"hint\">and 1 that were given", page)


def payload_of(html: str) -> dict[str, Any]:
    """What the page's script works with."""
    found = re.search(r'id="payload">([^<]+)<', html)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def test_charts_keep_their_height_in_css(make_run: MakeRun, tmp_path: Path) -> None:
    html = written(make_run(), tmp_path)
    figures = payload_of(html)["figures"]
    heights = dict(re.findall(r'data-chart="(\w+)"[^>]*style="height: (\d+)px"', html))
    assert {name: figure["layout"]["height"] for name, figure in figures.items()} == {
        name: int(height) for name, height in heights.items()
    }
    assert heights["search"] == "620"


def test_every_trial_is_in_the_table(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    table = payload_of(written(run, tmp_path))["trials"]
    assert table["texts"] == [run.texts(t.arch) for t in run.trials]
    assert table["errors"]["6"] == "took longer than 3 s"


def test_the_warm_start_is_explained_and_gets_no_share(
    make_run: MakeRun, in_round: Callable[..., Trial], tmp_path: Path
) -> None:
    run = make_run()
    run = replace(run, trials=[*run.trials[:4], *(in_round(t, 1) for t in run.trials[4:])])
    page = without_scripts(written(run, tmp_path))
    assert "the first 4 evaluations, was chosen before there was anything to learn from" in page
    rows = re.findall(r'<tr><th scope="row">(warm start|diffusion|random|mutation)</th>.*?</tr>', page)
    assert rows == ["warm start", "diffusion"]
    assert re.search(r'warm start</th><td class="n">4</td>.*<td>–</td></tr>', page)
    assert "warm start, " not in without_scripts(written(make_run(), tmp_path))


def test_defaults_are_folded_away(make_run: MakeRun, tmp_path: Path) -> None:
    page = without_scripts(written(make_run(defaults={"space": "nasbench201", "seed": 0}), tmp_path))
    shown, folded = page.split("1 setting at the default")
    assert '<th scope="row">seed</th>' in shown and '<th scope="row">space</th>' not in shown
    assert '<th scope="row">space</th>' in folded
    page = without_scripts(written(make_run(), tmp_path))
    assert "at the default" not in page


def test_sections_appear_where_there_is_something_to_show(
    make_run: MakeRun, many_trials: Callable[[int], list[Trial]], tmp_path: Path
) -> None:
    goals = Objectives((Objective("val"), Objective("latency", "min")))
    curves = {3: {"val_accuracy": [0.1, 0.2]}}
    page = without_scripts(written(make_run(trials=many_trials(60), objectives=goals, curves=curves), tmp_path))
    assert [f'id="{name}"' in page for name in ("pareto", "decisions", "learning")] == [True] * 3
    assert "Breiman 2001" in page and "of 59 evaluations" in page
    assert 'id="predictions"' not in page
    few = without_scripts(written(make_run(), tmp_path))
    assert [f'id="{name}"' in few for name in ("pareto", "decisions", "learning")] == [False] * 3


def test_rounds_without_a_generator_do_not_speak_of_one(make_run: MakeRun, tmp_path: Path) -> None:
    sampled, ranked = make_run(), make_run(rounds=[{"n_evals": 4, "hit_rate": 0.5, "surrogate_tau": 0.1}])
    assert "<h2>Generator rounds</h2>" in (html := without_scripts(written(sampled, tmp_path)))
    assert "Of what the generator sampled" in html
    assert "<h2>Rounds</h2>" in (html := without_scripts(written(ranked, tmp_path)))
    assert "Of what the generator sampled" not in html


def test_drawings_of_the_front_and_the_best_are_kept(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(objectives=Objectives((Objective("val"), Objective("latency", "min"))))
    html = written(run, tmp_path)
    drawings = payload_of(html)["drawings"]
    assert set(drawings) == {"1", "3", "4", "5"}
    assert all(svg.startswith("<svg") for svg in drawings.values())
    assert "The 4 that are not dominated" in html


def test_a_report_of_ten_thousand_trials_is_small_and_quick(
    make_run: MakeRun, many_trials: Callable[[int], list[Trial]], tmp_path: Path
) -> None:
    run = make_run(trials=many_trials(10_000), objectives=Objectives((Objective("val"), Objective("latency", "min"))))
    start = time.process_time()
    write_report(run, tmp_path / "report.html")
    assert time.process_time() - start < 5
    assert (tmp_path / "report.html").stat().st_size < 5e6
    write_report(make_run(), tmp_path / "small.html")
    assert (tmp_path / "small.html").stat().st_size < 2.5e6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (91.23456, "91.235"),
        (1234567.8, "1,234,568"),
        (3.0, "3"),
        (0.00012, "0.00012"),
        (1e-7, "1e-07"),
        (1e20, "1e+20"),
    ],
)
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert _number(value) == text


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
