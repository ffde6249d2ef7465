"""What a report says of a run's supernet: read from its directory, or told in a sentence why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gennas.eval.correlation import Interval
from gennas.report import RunData, supernets_of, write_report
from gennas.training.supernet import Diagnosis, SupernetRecord
from gennas.training.supernet.diagnostics import DiscretisationGap, InheritedRanking

MakeRun = Callable[..., RunData]
TAU, LOW, HIGH = Interval(0.5, 0.31, 0.7), Interval(0.1, -0.2, 0.3), Interval(0.9, 0.71, 1.0)
TEXTS = ["|none~0|", "<script>alert('gotcha')</script>", "c", "d"]


def record(**changes: Any) -> SupernetRecord:
    values: dict[str, Any] = {
        "space": "s", "task": "digits; 60/20/20", "method": 'gdas({"tau_end": 0.2})', "recipe": {}, "fidelity": {},
        "seed": 0, "epochs": 3, "seconds": 33.0, "digest": "abc", "settings": {},
        "curves": {"train_loss": [2.0, 1.5, 1.0], "val_loss": [2.1, None, 1.2], "skip_share": [0.2, 0.3, 0.4],
                   "alpha_entropy": [1.6, 1.5, 1.4], "alpha_entropy/00_edge_0-1": [1.6, 1.4, 1.2]},
    }  # fmt: skip
    return SupernetRecord(**(values | changes))


def diagnosis(**changes: Any) -> Diagnosis:
    values: dict[str, Any] = {
        "metric": "accuracy", "ranking": InheritedRanking(TAU, TAU, LOW, None, 4), "texts": TEXTS, "seconds": 5.0,
        "gap": DiscretisationGap(0.75, 0.5), "inherited": [0.1, 0.2, 0.3, 0.4], "alone": [0.5, 0.6, 0.8, 0.7],
        "parameters": [10.0, 20.0, 30.0, 40.0], "digest": "abc",
    }  # fmt: skip
    return Diagnosis(**(values | changes))


def write(folder: Path, found: SupernetRecord | None, seen: Diagnosis | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, part in (("supernet.json", found), ("diagnosis.json", seen)):
        if part is not None:
            (folder / name).write_text(json.dumps(asdict(part)))
    return folder


def page_of(make_run: MakeRun, directory: Path, out: Path, identity: str = "", **changes: Any) -> str:
    config = {"evaluator": "supernet", "supernet": str(directory), "strategy": "random", **changes}
    write_report(make_run(config=config, supernets=supernets_of(config, out, identity)), out / "report.html")
    page = re.sub(r"<script\b.*?</script>", "", (out / "report.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    return page[page.index('id="supernet"') :].split("</section>")[0]


def test_a_run_without_one_has_no_section(make_run: MakeRun, tmp_path: Path) -> None:
    assert supernets_of({"evaluator": "train", "supernet": None, "strategy": "random"}, tmp_path) == ()
    write_report(make_run(), tmp_path / "report.html")
    assert 'id="supernet"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_training_and_ranking_are_shown(make_run: MakeRun, tmp_path: Path) -> None:
    page = page_of(make_run, write(tmp_path / "net", record(), diagnosis()), tmp_path, "weights abc; digits")
    for text in ("gdas({&#34;tau_end&#34;: 0.2})", "33.0 s", "recalibrate, on 4 batches of 500", ">3<", "digits; 60"):
        assert text in page, text
    assert re.findall(r'data-chart="(\w+)"', page) == ["supernet0_0", "supernet0_1", "supernet0_2", "inherited0"]
    assert re.search(r'inherited scores</th><td class="n">0.50</td><td class="n">0.31 to 0.70', page)
    assert re.search(r'number of parameters</th><td class="n">0.10</td><td class="n">−0.20 to 0.30', page)
    assert "rank them better than counting parameters" in page and "discretisation gap of 0.25" in page
    assert "--diagnose" not in page and 'class="missing"' not in page


@pytest.mark.parametrize(
    ("tau", "sizes", "verdict"),
    [
        (TAU, LOW, "Inherited scores rank them better"),
        (TAU, HIGH, "Counting parameters ranks them better"),
        (TAU, Interval(0.4, 0.2, 0.6), "these 4 do not show"),
        (TAU, None, "is not known"),
        (Interval(float("nan"), float("nan"), float("nan")), LOW, "no ranking to speak of"),
    ],
)
def test_the_verdict_follows_the_intervals(
    make_run: MakeRun, tmp_path: Path, tau: Interval, sizes: Interval | None, verdict: str
) -> None:
    found = diagnosis(ranking=InheritedRanking(tau, tau, sizes, None, 4), gap=None)
    page = page_of(make_run, write(tmp_path / "net", record(), found), tmp_path)
    assert verdict in page and "discretisation" not in page


def test_an_unchecked_ranking_is_said_with_the_command(make_run: MakeRun, tmp_path: Path) -> None:
    page = page_of(make_run, write(tmp_path / "net", record()), tmp_path)
    assert "was not checked against networks that were trained alone" in page
    assert f"gennas train-supernet … --method gdas --out {tmp_path / 'net'} --diagnose 20</code>" in page


def test_what_is_gone_or_damaged_is_a_sentence(make_run: MakeRun, tmp_path: Path) -> None:
    page = page_of(make_run, tmp_path / "moved", tmp_path)
    assert "There is no trained supernet in" in page and "data-chart" not in page
    folder = write(tmp_path / "net", record())
    (folder / "diagnosis.json").write_text("[")
    assert "The diagnosis beside it cannot be read" in page_of(make_run, folder, tmp_path)
    write(folder, record(), diagnosis(digest="of others"))
    page = page_of(make_run, folder, tmp_path)
    assert "is one of other weights" in page and "inherited0" not in page
    assert "has other weights than the one that this search scored by" in page_of(
        make_run, folder, tmp_path, "weights x"
    )
    (folder / "supernet.json").write_text('{"space": 1}')
    assert "cannot be read" in page_of(make_run, folder, tmp_path)
    (tmp_path / "file").write_text("")
    assert "There is no trained supernet in" in page_of(make_run, tmp_path / "file", tmp_path)


def test_the_strategys_own_lies_in_the_run(make_run: MakeRun, tmp_path: Path) -> None:
    write(tmp_path / "one_shot", record())
    page = page_of(make_run, tmp_path / "none", tmp_path, evaluator="train", strategy="one-shot", strategy_option={})
    assert (
        "charged to this search" in page
        and "proposed what it likes best" in page
        and "strengths of their decisions" in page
    )
    write(tmp_path / "one_shot", record(method="spos"))
    options = {"batch_norm": "batch"}
    page = page_of(make_run, tmp_path, tmp_path, evaluator="train", strategy="one-shot", strategy_option=options)
    assert ">batch</td>" in page
    write(tmp_path / "one_shot", record(method="of-another-package"))
    page = page_of(make_run, tmp_path, tmp_path, evaluator="train", strategy="one-shot")
    assert "of-another-package" in page
    both = page_of(make_run, write(tmp_path / "net", record()), tmp_path, strategy="one-shot")
    assert "Behind the scores" in both and "Trained by the strategy" in both
    assert "charged to this search" not in both and 'data-chart="supernet1_0"' in both
