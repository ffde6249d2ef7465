"""``gennas latency``: measured and predicted columns, files, and one clear line for bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gennas.cli.main import main
from gennas.spaces import NASBench201

SMALL = ["--space-option", "num_cells=1", "--space-option", "width=4", "--seconds", 0.02]
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"


def run(*args: object) -> int:
    return main(["latency", *map(str, args)])


def test_one_architecture_or_several(tmp_path: Path, capsys) -> None:
    assert run(CELL, *SMALL, "--batch", 4, "--channels-last", "--out", tmp_path / "a.csv") == 0
    shown = capsys.readouterr().out
    assert "median ms" in shown and "batch 4" in shown and "channels last" in shown and "memory: profiler" in shown
    assert run("--arch", CELL, "--arch", CELL, *SMALL, "--out", tmp_path / "b.csv") == 0
    one, two = (pd.read_csv(tmp_path / f"{x}.csv") for x in "ab")
    assert one["arch"].tolist() == [CELL] and two["arch"].tolist() == [CELL, CELL]
    assert one.loc[0, "throughput"] == pytest.approx(4e3 / one.loc[0, "median_ms"]) and one.loc[0, "threads"] == 1
    assert one.loc[0, "peak_mb"] > two.loc[0, "peak_mb"] == two.loc[1, "peak_mb"] > 0.01
    assert {"iqr_ms", "cpu_ms", "load", "noisy", "memory_method", "device", "repeats"} <= set(one)


def test_a_graph_task_is_one_whole(tmp_path: Path) -> None:
    path = Path(tmp_path / "user_graph.py")
    path.write_text(
        "import torch\nfrom gennas.training import Task\n\n"
        "def make():\n"
        "    edges = torch.arange(12).reshape(2, 6)\n"
        "    part = {p: torch.arange(12) % 3 == i for i, p in enumerate(('train', 'validation', 'test'))}\n"
        "    return Task.from_graph('tiny', x=torch.randn(12, 5), edge_index=edges, y=torch.arange(12) % 2, **part)\n"
    )
    out = tmp_path / "g.csv"
    args = ["-n", 1, "--space", "nasbench-graph", "--task", f"{path}:make", "--batch", 9, "--seconds", 0.02]
    assert run(*args, "--out", out) == 0
    assert pd.read_csv(out).loc[0, "batch"] == 1


def test_fit_save_and_predict(tmp_path: Path, capsys) -> None:
    saved = tmp_path / "p.npz"
    fit = ["--fit", "lookup", "--target", "peak_mb", "--save", saved, "--out", tmp_path / "m.csv"]
    assert run("-n", 40, *SMALL[:4], "--seconds", 0.001, *fit) == 0
    shown = capsys.readouterr().out
    assert "held-out architectures" in shown and "Saved" in shown and "The first 20 of 40" in shown
    assert run("-n", 40, "--predictor", saved, "--out", tmp_path / "p.csv") == 0
    measured, predicted = (pd.read_csv(tmp_path / f"{x}.csv") for x in "mp")
    assert measured["arch"].tolist() == predicted["arch"].tolist()
    assert np.median(np.abs(predicted["predicted"] / measured["peak_mb"] - 1)) < 0.2
    assert "lookup, fitted on 40 architectures" in capsys.readouterr().out


def test_energy_says_how(capsys) -> None:
    pytest.importorskip("codecarbon")
    assert run(CELL, *SMALL, "--energy", "--energy-seconds", 1.2) == 0
    shown = capsys.readouterr().out
    assert "energy mJ" in shown and ("energy: estimated" in shown or "energy: rapl" in shown)


@pytest.mark.slow
def test_int8_accuracy(tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    out = tmp_path / "i.csv"
    args = [CELL, *SMALL, "--task", "digits", "--int8-accuracy", "--epochs", 8, "--out", out]
    assert run(*args) == 0
    row = pd.read_csv(out).loc[0]
    assert row["val_accuracy"] > 0.5
    assert abs(row["int8_val_accuracy"] - row["val_accuracy"]) < 0.1


CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        pytest.param(["--device", "cuda"], "sees 0 CUDA devices", marks=CUDA),
        (["--device", "tpu"], "'tpu'"),
        (["--events"], "need a CUDA device"),
        (["--cuda-graph"], "need a CUDA device"),
        (["-n", "0"], "--n: expected at least 1"),
        (["--batch", "0"], "--batch: expected at least 1"),
        (["--threads", "0"], "--threads: expected at least 1"),
        (["|none~0|"], "expected '|op~0|"),
        (["--fit", "lookup"], "at least 10 architectures"),
        (["--save", "x.npz"], "--save writes what --fit makes"),
        (["--predictor", "missing.npz"], "Expected a saved predictor in missing.npz"),
        (["--predictor", "x.npz", "--energy"], "measures nothing"),
        (["--target", "energy_mj"], "needs --energy"),
        (["--int8-accuracy"], "give --task"),
        (["--task", "digitz"], "digits"),
        (["--space", "nasbench-graph"], "What nasbench-graph costs depends on the graphs: give --task, such as cora"),
        (["--space", "gnn"], "give --task, such as cora or motifs"),
    ],
)
def test_bad_input_is_one_clear_line(args: list[str], reason: str, capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*args) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("gennas: ") and reason in lines[0], lines


def test_the_sample_is_that_of_the_seed(tmp_path: Path) -> None:
    assert run("-n", 2, "--seed", 3, *SMALL, "--out", tmp_path / "s.csv") == 0
    space = NASBench201()
    expected = [space.to_text(arch) for arch in space.sample(2, np.random.default_rng(3))]
    assert pd.read_csv(tmp_path / "s.csv")["arch"].tolist() == expected
