"""What a run found is trained on other tasks, beside random architectures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from gennas import SearchConfig, run_search
from gennas.cli.main import main
from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import Fidelity
from gennas.spaces import make_space
from gennas.workbench.chosen import best_text
from gennas.workbench.config import parse_options
from gennas.workbench.directory import read_config
from gennas.workbench.problem import space_from
from gennas.workbench.transfer import TransferTable, transfer

OPTIONS = ("max_depth=2", "min_depth=1", "widths=[4]", "kernels=[3]")
TASK = """
import torch
from gennas.training import Task, make_task
data = make_task("digits").data
parts = {p: (data.x[p].flip(-1)[:200], data.y[p][:200]) for p in data.x}
mirrored = Task.from_tensors("mirrored", **parts)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "source"
    space = make_space("macro-chain", **parse_options(OPTIONS))
    archs = space.sample(1000, np.random.default_rng(0)).unique()
    texts, rng = [space.to_text(arch) for arch in archs], np.random.default_rng(1)
    csv = out.with_suffix(".csv")
    pd.DataFrame({"arch": texts, "val_accuracy": rng.random(len(texts))}).to_csv(csv, index=False)
    settings = {"space": "macro-chain", "space_option": OPTIONS, "table": str(csv), "strategy": "random"}
    run_search(SearchConfig(**settings, budget=5, out=out), report=False)
    (out / "mine.py").write_text(TASK)
    return out


def table(**columns: list[object]) -> TransferTable:
    frame = pd.DataFrame(columns)
    return TransferTable(frame.assign(status="ok", error="").assign(**{"seed": 0, "task": "t"}))


def test_correlation_and_gain_are_those_of_the_means() -> None:
    source, value = [0.9, 0.8, 0.7, 0.6], [0.5, 0.7, 0.4, 0.2]
    found = table(group=["top", "top", "random", "random"], arch=list("abcd"), source=source, value=value)
    row = found.correlations().iloc[0]
    tau, p = kendalltau(source, value)
    assert (row["tau"], row["p"], row["n"]) == (tau, p, 4)
    assert row["gain"] == pytest.approx(0.6 - 0.3)
    assert row["gain_se"] == pytest.approx(np.sqrt(np.var([0.5, 0.7], ddof=1) / 2 + np.var([0.4, 0.2], ddof=1) / 2))
    lower_is_better = TransferTable(found.rows, signs=(1.0, -1.0)).correlations().iloc[0]
    assert (lower_is_better["tau"], lower_is_better["gain"]) == (-tau, pytest.approx(-0.3))


def test_failed_trainings_and_unknown_sources_are_left_out() -> None:
    nan = float("nan")
    found = table(group=["top"] * 2 + ["random"] * 2, arch=list("abcd"), source=[0.9, 0.8, 0.7, nan],
                  value=[0.5, nan, 0.4, 0.2])  # fmt: skip
    row = found.correlations().iloc[0]
    assert (row["n"], row["tau"], row["top"]) == (2, 1.0, 0.5) and np.isnan(row["gain_se"])


def test_a_run_is_transferred(run: Path, tmp_path: Path, capsys) -> None:
    task = f"{run}/mine.py:mirrored"
    out = tmp_path / "t.csv"
    command = ["transfer", run, "--tasks", f"digits,{task}", "--top", 2, "--seeds", 2, "--epochs", 1, "--depth", 1.5]
    assert main([str(x) for x in (*command, "--data-fraction", 0.2, "--out", out)]) == 0
    assert "Does rank carry over?" in capsys.readouterr().out
    rows = pd.read_csv(out)
    assert len(rows) == 2 * 2 * 2 * 2 and set(rows["status"]) == {"ok"} and rows["value"].between(0, 1).all()
    assert set(rows["task"]) == {"digits", task} and set(rows["seed"]) == {0, 1}
    best = json.loads((run / "summary.json").read_text())["best"]
    assert rows.iloc[0]["arch"] == best["text"] and rows.iloc[0]["source"] == best["metrics"]["val_accuracy"]
    known = pd.read_csv(run.with_suffix(".csv")).set_index("arch")["val_accuracy"]
    assert (rows["source"] == known[rows["arch"]].to_numpy()).all()
    groups = rows.groupby("group")["arch"].unique()
    assert len(groups["top"]) == len(groups["random"]) == 2 and not set(groups["top"]) & set(groups["random"])


def test_the_table_does_not_depend_on_what_ran_before(run: Path) -> None:
    few = {"top": 1, "seeds": 1, "fidelity": Fidelity(1, 0.1)}
    first, second = (transfer(run, ["digits"], **few).rows for _ in range(2))
    assert first.equals(second)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"top": 0}, ConfigError, "at least one"),
        ({"tasks": []}, ConfigError, "at least one"),
        ({"metric": "accuracy"}, UnknownNameError, "val_accuracy"),
        ({"tasks": ["digit"]}, UnknownNameError, "digits"),
        ({"train_option": ["rate=1"]}, ConfigError, "rate"),
        ({"scale": (0.0, 1.0)}, ConfigError, "positive factors"),
    ],
)
def test_bad_input_is_refused_before_any_training(changes, error, reason: str, run: Path) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a training was begun")

    with pytest.raises(error, match=reason):
        transfer(run, **{"tasks": ["digits"], "on_trial": never, **changes})


def test_a_task_without_networks_in_the_space_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "nodes.py").write_text(
        "import torch\nfrom gennas.training import Task\n"
        "ring = torch.stack([torch.arange(9), (torch.arange(9) + 1) % 9])\n"
        "parts = {p: torch.arange(9) % 3 == i for i, p in enumerate(('train', 'validation', 'test'))}\n"
        "nodes = Task.from_graph('nodes', x=torch.eye(9), edge_index=ring, y=torch.arange(9) % 2, **parts)\n"
    )
    with pytest.raises(ConfigError, match="networks for images only"):
        transfer(run, [f"{tmp_path}/nodes.py:nodes"])


def test_the_best_architecture_needs_a_finished_run(run: Path, tmp_path: Path) -> None:
    space, text = space_from(read_config(run), "digits"), best_text(run)
    assert space.to_text(space.from_text(text)) == text
    assert space.choices[2] == (4,)  # the run's own options
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_config(tmp_path)
    with pytest.raises(ConfigError, match=r"summary\.json"):
        best_text(tmp_path)
    (tmp_path / "summary.json").write_text('{"best": null}')
    with pytest.raises(ConfigError, match="no trial was feasible"):
        best_text(tmp_path)


def test_a_found_architecture_is_retrained_scaled_and_continued(run: Path, tmp_path: Path, capsys) -> None:
    def params(*more: object) -> float:
        few = ("--data-fraction", 0.2, "--train-option", "schedule_epochs=3")
        assert main([str(x) for x in ("train", "--from", run, *few, *more)]) == 0
        lines = capsys.readouterr().out.splitlines()
        return float(next(line.split()[1].replace(",", "") for line in lines if "params " in line))

    small = params("--epochs", 1, "--resume", tmp_path / "a")
    assert params("--epochs", 1, "--width", 2, "--depth", 2, "--resolution", 0.5) > 2 * small
    assert params("--epochs", 3, "--resume", tmp_path / "a") == small
    assert sorted(p.parent.name for p in (tmp_path / "a").glob("*/*/state.safetensors")) == ["1", "3"]
    assert main(["train", "--from", str(run), "--space", "macro-chain"]) == 2
    assert "--from alone" in capsys.readouterr().err


def test_a_run_brings_its_task_its_recipe_and_its_fidelity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom gennas.training import Task\n\ndef stripes(classes=2):\n"
        "    x, y = torch.rand(40, 1, 8, 8), torch.arange(40) % classes\n"
        "    return Task.from_tensors(f'stripes{classes}', train=(x, y), validation=(x, y), test=(x, y))\n"
    )
    task = f"{tmp_path / 'mine.py'}:stripes"
    settings = {"task": task, "task_option": {"classes": 3}, "train_option": {"lr": 0.02}, "epochs": 1, "width": 0.5}
    out = tmp_path / "run"
    run_search(SearchConfig("macro-chain", OPTIONS, strategy="random", budget=3, out=out, **settings), report=False)
    capsys.readouterr()
    assert main(["transfer", str(out), "--top", "1", "--seeds", "1", "--data-fraction", "0.5"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{out} · macro-chain · tasks {task} · epochs=1, data_fraction=0.5, width=0.5"
    assert set(pd.read_csv(out / "transfer.csv")["status"]) == {"ok"}
    said: list[str] = []
    transfer(out, ["digits"], top=1, seeds=1, fidelity=Fidelity(epochs=1), scale=(1.0, 1.0), on_start=said.append)
    assert said == [f"{out} · macro-chain · tasks digits · epochs=1"]
