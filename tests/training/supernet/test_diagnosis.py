"""What is noted while a supernet is trained, and what is found when it is looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gennas.errors import ConfigError
from gennas.training import Task
from gennas.training.supernet import diagnose, read_record, train_supernet
from gennas.training.supernet.diagnostics import CollapseMonitor
from gennas.training.supernet.methods import AlternatingStep, make_step

from .conftest import SPACE  # type: ignore[import-not-found]

WATCHED = {"alpha_entropy", "skip_share", "alpha_curvature", "collapsed"}


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
    with pytest.raises(ConfigError, match="at least 3"):
        diagnose(darts, SPACE, digits, 2)


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
