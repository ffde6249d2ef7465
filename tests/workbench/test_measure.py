"""Costs: contradictions, the sample, predicting instead of measuring, and what a fit is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import CheckpointError, ConfigError, GennasError
from gennas.eval.hardware import load_predictor
from gennas.spaces import NASBench201
from gennas.workbench.measure import LatencySettings, measure

SMALL = {"space_option": {"num_cells": 1, "width": 4}}
SPACE = NASBench201(num_cells=1, width=4)
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"save": Path("p.npz")}, "--save writes what --fit makes to an .npz file, got --save p.npz --fit none."),
        ({"save": Path("p.pt"), "fit": "lookup", "n": 20}, "got --save p.pt --fit lookup"),
        ({"predictor": Path("p.npz"), "fit": "lookup", "n": 20}, "--predictor measures nothing: drop --fit"),
        ({"predictor": Path("p.npz"), "int8": True}, "--predictor measures nothing"),
        ({"predictor": Path("p.npz"), "energy": True}, "--predictor measures nothing"),
        ({"target": "energy_mj"}, "--target energy_mj needs --energy."),
        ({"int8_accuracy": True}, "--int8-accuracy trains on a task: give --task."),
        ({"fit": "forest", "n": 9}, "Expected at least 10 architectures to fit a predictor to, got -n 9."),
        ({"fit": "forests"}, "Did you mean forest"),
        ({"target": "median"}, "--target: expected"),
        ({"seconds": 0.0}, "--seconds: expected more than 0"),
        ({"batch": 0}, "--batch: expected at least 1"),
    ],
)
def test_contradictions(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LatencySettings(**settings)
    assert complaint in str(caught.value)


def test_ten_named_architectures_are_enough_to_fit() -> None:
    assert LatencySettings(fit="lookup", arch=(CELL,) * 10).n == 1


def test_every_architecture_has_its_row() -> None:
    found = measure(LatencySettings(**SMALL, n=3, seed=2, seconds=0.005))
    sample = SPACE.sample(3, np.random.default_rng(2))
    assert [row["arch"] for row in found.rows] == [SPACE.to_text(arch) for arch in sample]
    for row in found.rows:
        assert row["median_ms"] > 0 and row["iqr_ms"] >= 0 and row["repeats"] >= 1 and row["peak_mb"] > 0
        assert row["throughput"] == pytest.approx(1e3 / row["median_ms"])
    assert "batch 1 · 1 threads · wall clock" in found.conditions and found.quality is None


def test_named_architectures_come_before_a_sample() -> None:
    found = measure(LatencySettings(**SMALL, arch=(CELL, CELL), n=5, seconds=0.005, batch=3, channels_last=True))
    assert [row["arch"] for row in found.rows] == [CELL, CELL]
    assert "batch 3" in found.conditions and "channels last" in found.conditions


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    """A look-up of peak memory, fitted on 15 cells."""
    path = tmp_path / "p.npz"
    settings = {**SMALL, "n": 15, "seconds": 0.001, "fit": "lookup", "target": "peak_mb", "save": path}
    quality = measure(LatencySettings(**settings)).quality
    assert quality is not None
    return path


def test_a_fit_is_saved_and_predicts(fitted: Path) -> None:
    predictor = load_predictor(fitted, SPACE.schema)
    assert predictor.kind == "lookup" and len(predictor.values) == 15  # saved: the fit on all of them
    found = measure(LatencySettings(**SMALL, n=4, seed=3, predictor=fitted))
    archs = SPACE.sample(4, np.random.default_rng(3))
    mean, std = predictor.predict(archs)
    assert [row["predicted"] for row in found.rows] == mean.tolist()
    assert [row["std"] for row in found.rows] == std.tolist()
    assert [row["arch"] for row in found.rows] == [SPACE.to_text(arch) for arch in archs]
    assert found.conditions == f"predicted by {fitted}: lookup, fitted on 15 architectures" and found.quality is None


def test_a_predictor_of_another_space_is_refused(fitted: Path) -> None:
    with pytest.raises(CheckpointError, match="use the space it was fitted for"):
        measure(LatencySettings(space="macro-chain", predictor=fitted))


def test_a_file_that_is_no_predictor(tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(b"not a zip")
    with pytest.raises(CheckpointError, match="Expected a saved predictor in"):
        measure(LatencySettings(predictor=tmp_path / "p.npz"))


def test_accuracy_after_quantisation_is_of_images() -> None:
    settings = {"space": "nasbench-graph", "space_option": {"hidden": 8}, "int8_accuracy": True}
    with pytest.raises(GennasError):
        measure(LatencySettings(**settings, task="cora", task_option={"root": "/nowhere"}))
