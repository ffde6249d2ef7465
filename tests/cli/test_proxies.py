"""``gennas proxies``: what the person sees, exit codes, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.eval.proxies import PROXIES
from gennas.spaces import AutoFormerTiny, NASBench201


def test_proxies_are_listed_with_what_they_need(capsys, run: Callable[..., int]) -> None:
    assert run("proxies", "list") == 0
    shown = capsys.readouterr().out
    lines = [line.split()[0] for line in shown.splitlines()[1:] if line.strip()]
    assert lines == list(PROXIES) and shown.splitlines()[0].split()[:3] == ["proxy", "better", "scale"]


def test_scores_on_the_screen_and_in_a_file(tmp_path: Path, capsys, run: Callable[..., int]) -> None:
    small = ["--space-option", "num_cells=1", "--space-option", "width=4"]
    options = [*small, "--proxies", "params,synflow", "--n", 3, "--seed", 1, "--out", tmp_path / "s.csv"]
    assert run("proxies", "score", *options) == 0
    shown, frame, space = capsys.readouterr().out, pd.read_csv(tmp_path / "s.csv"), NASBench201(num_cells=1, width=4)
    archs = space.sample(3, np.random.default_rng(1))
    assert frame["arch"].tolist() == [space.to_text(arch) for arch in archs]
    assert all(text in shown for text in frame["arch"]) and {"params", "synflow", "protocol"} <= set(frame)
    assert frame["protocol"].nunique() == 1 and "from the cache" in shown


def test_many_scores_stand_in_rows(capsys, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    """More columns than the terminal is wide: one row per proxy, and the architectures' texts whole below."""
    monkeypatch.setenv("COLUMNS", "80")
    sizes = [f"{name}={value}" for name, value in {"embeds": "[8,16]", "head_dim": 4, "patch": 4}.items()]
    options = [x for size in sizes for x in ("--space-option", size)]
    proxies = ("params", "flops", "synflow", "nwot_gelu", "snip", "grad_norm", "l2_norm", "nwot", "trainable_layers")
    arguments = ["--task", "digits", "--proxies", ",".join(proxies), "--n", 2]
    assert run("proxies", "score", "--space", "autoformer-tiny", *options, *arguments) == 0
    shown = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown if line.startswith("│")]
    assert [row[0] for row in rows] == list(proxies) and {len(row) for row in rows} == {3}
    assert rows[7] == ["nwot", "–", "–"] and any("nwot_gelu takes GELU and SiLU too" in line for line in shown)
    texts = [line.split()[1] for line in shown if line.startswith(("    1  ", "    2  "))]
    space = AutoFormerTiny(embeds=(8, 16), head_dim=4, patch=4)
    assert texts == [space.to_text(arch) for arch in space.sample(2, np.random.default_rng(0))]


def test_proxies_complain(tmp_path: Path, capsys, error_of: Callable[..., str]) -> None:
    assert "synflow" in error_of("proxies", "score", "--proxies", "synflwo")
    assert "batch=noise" in error_of("proxies", "score", "--proxies", "synflow", "--protocol", "batch=digits")


def test_no_value_at_all_is_an_error_with_its_reason(tmp_path: Path, capsys, run: Callable[..., int]) -> None:
    small = ["--space-option", "num_cells=1", "--space-option", "width=4", "--n", 3]
    assert run("proxies", "score", *small, "--proxies", "dss", "--out", tmp_path / "s.csv") == 1
    error = " ".join(capsys.readouterr().err.split())
    assert "No proxy has a value for any of 3 architectures. 3 of them gave" in error and "no attention" in error
    assert run("proxies", "score", *small, "--proxies", "dss,params") == 0


def test_a_search_by_a_proxy_without_values_spends_nothing(
    tmp_path: Path, capsys, error_of: Callable[..., str]
) -> None:
    small = ["--space", "nasbench201", "--space-option", "num_cells=1", "--space-option", "width=4"]
    goal = ["--proxy", "dss", "--objective", "dss:max", "--strategy", "random", "--budget", 30]
    error = " ".join(error_of("search", *small, *goal, "--out", tmp_path / "run").split())
    assert "no attention" in error and "No evaluation was spent" in error
