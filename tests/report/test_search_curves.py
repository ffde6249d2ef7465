"""Mean curves of a comparison, and their plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from gennas.errors import ConfigError
from gennas.report.search_curves import Panel, mean_curve, plot_comparison, plot_panels
from gennas.search.objectives import Objective

CURVES = pd.DataFrame(
    [
        ("random", 0, 1, 0.2, 0.1),
        ("random", 0, 4, 0.4, 0.3),
        ("random", 1, 2, 0.6, 0.5),
        ("random", 1, 4, 0.6, 0.5),
        ("generative", 0, 1, 0.5, 0.4),
        ("generative", 0, 4, 0.9, 0.8),
    ],
    columns=["strategy", "seed", "n_evals", "objective", "report"],
)


def test_mean_curve_steps_forward_and_waits_for_every_seed() -> None:
    mean, error = mean_curve(CURVES[CURVES.strategy == "random"], "objective", np.array([1, 2, 3, 4, 9]))
    assert np.isnan(mean[0])
    assert mean[1:] == pytest.approx([0.4, 0.4, 0.5, 0.5])
    # Standard error of two values a, b: |a - b| / 2.
    assert error[1:] == pytest.approx([0.2, 0.2, 0.1, 0.1])


def test_mean_curve_of_one_seed_has_no_error() -> None:
    mean, error = mean_curve(CURVES[CURVES.strategy == "generative"], "report", np.array([1, 4]))
    assert mean.tolist() == [0.4, 0.8]
    assert error.tolist() == [0.0, 0.0]


def test_mean_curve_does_not_depend_on_the_order_of_rows() -> None:
    shuffled = CURVES.sample(frac=1, random_state=0)
    grid = np.array([2, 4])
    for strategy in ("random", "generative"):
        ordered = mean_curve(CURVES[CURVES.strategy == strategy], "objective", grid)
        assert np.array_equal(mean_curve(shuffled[shuffled.strategy == strategy], "objective", grid), ordered)


@pytest.mark.parametrize(
    ("curves", "optimum", "panels"),
    [
        (CURVES, 0.9, 3),
        (CURVES, None, 2),
        (CURVES.assign(report=np.nan), 0.9, 2),
        (CURVES.assign(report=np.nan), None, 1),
    ],
)
def test_the_plot_has_a_panel_for_what_is_known(
    tmp_path: Path, curves: pd.DataFrame, optimum: float | None, panels: int
) -> None:
    plot_comparison(curves, tmp_path / "plot.png", Objective("val"), optimum, "test")
    height, width, _ = imread(tmp_path / "plot.png").shape
    assert round(width / height / (5.4 / 4.4), 1) == panels


def test_an_image_holds_every_strategys_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    plot_comparison(CURVES, tmp_path / "plot.svg", Objective("val"), 0.9, "test_accuracy")
    text = (tmp_path / "plot.svg").read_text()
    for words in (
        "random (2 seeds)",
        "generative (1 seed)",
        "best val so far",
        "regret of val",
        "test_accuracy of the",
    ):
        assert words in text


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing: \['report'\]"):
        plot_comparison(CURVES.drop(columns="report"), tmp_path / "plot.png", Objective("val"))
    with pytest.raises(ConfigError, match="missing: all rows"):
        plot_comparison(CURVES[:0], tmp_path / "plot.png", Objective("val"))


def test_curves_over_seconds_step_forward() -> None:
    curves = CURVES.assign(seconds=[1.0, 8.0, 2.0, 3.0, 1.0, 4.0])
    random = curves[curves.strategy == "random"]
    mean, _ = mean_curve(random, "objective", np.array([0.5, 1.0, 2.0, 9.0]), "seconds")
    assert np.isnan(mean[:2]).all() and mean[2:].tolist() == pytest.approx([0.4, 0.5])


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_every_format_and_the_same_file_again(tmp_path: Path, suffix: str, start: bytes) -> None:
    curves, files = CURVES.assign(seconds=[1.0, 8.0, 2.0, 3.0, 1.0, 4.0]), []
    for name in "ab":
        file = tmp_path / f"{name}{suffix}"
        plot_panels(curves, [Panel("objective", "best", "seconds"), Panel("report", "test")], file)
        files.append(file.read_bytes())
    assert files[0].startswith(start) and files[0] == files[1]


def test_curves_of_version_0_1_0_have_no_seconds_and_are_drawn(tmp_path: Path) -> None:
    assert "seconds" not in CURVES
    plot_comparison(CURVES, tmp_path / "plot.pdf", Objective("val"))
    assert (tmp_path / "plot.pdf").stat().st_size > 1000


def test_long_names_stay_inside_the_image(tmp_path: Path) -> None:
    long = "generative@shares={mutation: 0.25, random: 0.75}@warm_start=16@round_size=4"
    curves = CURVES.assign(strategy=CURVES["strategy"].replace("generative", long), report=np.nan)
    plot_comparison(curves, tmp_path / "plot.png", Objective("val"))
    image = imread(tmp_path / "plot.png")[..., :3]
    assert (image[:, -8:] > 0.99).all()  # nothing is cut off at the right edge
