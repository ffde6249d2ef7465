"""What is noted while a supernet is trained, and what is found when it is looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gennas.errors import CheckpointError, ConfigError
from gennas.training import Task
from gennas.training.supernet import diagnose, read_diagnosis, read_record, train_supernet
from gennas.training.supernet.diagnostics import CollapseMonitor
from gennas.training.supernet.methods import AlternatingStep, make_step

from .conftest import SPACE  # type: ignore[import-not-found]

WATCHED = {"alpha_entropy", "skip_share", "alpha_curvature", "collapsed"}
DECISIONS = [f"alpha_entropy/{place}_edge_{ends}" for place, ends in zip(
    ("00", "01", "02", "03", "04", "05"), ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3"), strict=True
)]  # fmt: skip


@pytest.fixture(scope="module")
def darts(tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Path:
    out = tmp_path_factory.mktemp("darts")
    told: list[set[str]] = []
    train_supernet(
        SPACE, digits, out, "darts", {"monitor": {"iterations": 2}}, replace(digits.config, epochs=2, batch_size=512),
        on_epoch=lambda epoch, values: told.append(set(values)),
    )  # fmt: skip
    assert len(told) == 2 and all(WATCHED <= names for names in told)
    return out


def test_figures_of_the_method_are_kept_with_the_curves(darts: Path, trained: Path) -> None:
    curves = read_record(darts).curves
    assert WATCHED <= set(curves) and all(len(curve) == 2 for curve in curves.values())
    assert 0 < curves["alpha_entropy"][0] <= 1.61 and curves["collapsed"] == [0.0, 0.0]  # log 5 = 1.609
    assert [name for name in curves if "/" in name] == DECISIONS
    means = [sum(curves[name][epoch] for name in DECISIONS) / 6 for epoch in range(2)]
    assert curves["alpha_entropy"] == pytest.approx(means)
    assert 0 <= read_record(trained).curves["path_fairness"][0] <= 1


def test_a_diagnosis_trains_networks_alone_and_says_how_scores_rank(darts: Path, digits: Task) -> None:
    seen: list[float] = []
    config = replace(digits.config, epochs=1, batch_size=512)
    found = diagnose(darts, SPACE, digits, 4, config, on_network=lambda number, arch, score: seen.append(score))
    assert found.alone == seen and len(found.inherited) == len(found.parameters) == len(found.texts) == 4
    assert found.ranking.n == 4 and found.ranking.tau_parameters is not None and found.seconds > 0
    assert found.gap is not None and 0 <= found.gap.discrete <= 1 and 0 <= found.gap.relaxed <= 1
    assert set(found.figures) == {"tau_inherited", "tau_params", "diagnosis_seconds", "discretisation_gap"}
    assert json.loads((darts / "diagnosis.json").read_text())["alone"] == seen
    assert "tau of the number of parameters" in found.lines[0] and "gap" in found.lines[1]
    again = read_diagnosis(darts)
    assert again == found and again.digest == read_record(darts).digest and again.lines == found.lines
    with pytest.raises(ConfigError, match="at least 3"):
        diagnose(darts, SPACE, digits, 2)


def test_a_diagnosis_is_read_or_refused(tmp_path: Path) -> None:
    assert read_diagnosis(tmp_path) is None
    numbers = {"value": 0.5, "low": 0.1, "high": 0.9}
    ranking = {"tau": numbers, "rho": numbers, "tau_parameters": None, "tau_ceiling": None, "n": 1}
    whole = {"metric": "accuracy", "ranking": ranking, "gap": None, "seconds": 1.0, "texts": ["a"],
             "inherited": [0.1], "alone": [0.2], "parameters": [3]}  # fmt: skip
    (tmp_path / "diagnosis.json").write_text(json.dumps(whole))  # as it was written before it named its weights
    found = read_diagnosis(tmp_path)
    assert found is not None and found.digest == "" and found.ranking.tau.high == 0.9 and found.parameters == [3.0]
    for broken in (
        "{", "[]", "null", json.dumps({**whole, "alone": [0.2, 0.3]}), json.dumps({**whole, "alone": ["x"]}),
        json.dumps({**whole, "ranking": {**ranking, "tau": None}}), json.dumps({**whole, "gap": {"deep": 1}}),
        json.dumps({**whole, "ranking": 3}), json.dumps({**whole, "inherited": {"a": 1}}),
    ):  # fmt: skip
        (tmp_path / "diagnosis.json").write_text(broken)
        with pytest.raises(CheckpointError, match=r"diagnosis\.json is damaged"):
            read_diagnosis(tmp_path)


def test_paths_have_no_gap(trained: Path, digits: Task) -> None:
    found = diagnose(trained, SPACE, digits, 3, replace(digits.config, epochs=1, batch_size=512))
    assert found.gap is None and len(found.lines) == 1


def test_monitors_are_made_of_options(digits: Task) -> None:
    step = make_step("darts", SPACE, digits.spec, monitor={"skip_limit": 0.4, "ratio": None})
    assert isinstance(step, AlternatingStep) and step.monitor is not None and step.monitor.skip_limit == 0.4
    assert isinstance(make_step("darts", SPACE, digits.spec, monitor=True).monitor, CollapseMonitor)  # type: ignore[union-attr]
    assert make_step("darts", SPACE, digits.spec, monitor=False).monitor is None  # type: ignore[union-attr]
    for wrong in ("soon", {"skips": 1}, {"skip_limit": 2}):
        with pytest.raises(ConfigError):
            make_step("darts", SPACE, digits.spec, monitor=wrong)
