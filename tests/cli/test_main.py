"""The command line on real input: results, continuing, and one clear line for every kind of bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gennas.cli.main import main
from gennas.search import Archive
from gennas.spaces import NASBench201, NASBenchGraph

CORA = ["--space", "nasbench-graph", "--task", "cora"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete made-up table of NAS-Bench-201 whose optimum is the all-3x3 cell."""
    space = NASBench201()
    D = np.stack(np.meshgrid(*[np.arange(5)] * 6, indexing="ij"), -1).reshape(-1, 6)
    texts = [space.to_text(space.architecture(row)) for row in D]
    score = (D == 3).sum(1) + 0.01 * D.sum(1)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    pd.DataFrame({"arch": texts, "acc": score, "cost": D.sum(1)}).to_csv(path, index=False)
    return path


def run(*args: object) -> int:
    return main([str(a) for a in args])


def test_search_writes_its_directory_and_continues(tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    command = ["search", *CORA, "--strategy", "regularized-evolution", "--budget", 60, "--seed", 3, "--out", out]
    assert run(*command) == 0
    shown = capsys.readouterr().out
    assert "Best architectures" in shown and str(out / "report.html") in shown.replace("\n", "")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["n_evals"] == 60 and summary["stopped"] == "budget" and summary["wall_s"] > 0
    best = summary["best"]
    space = NASBenchGraph()
    assert space.from_text(best["text"]).key == best["key"]
    assert set(best["metrics"]) == {"val_accuracy", "test_accuracy", "latency_s", "params_m"}
    archive = Archive(out / "archive.sqlite", space)
    assert best["metrics"]["val_accuracy"] == max(t.metrics["val_accuracy"] for t in archive.trials())
    archive.close()
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["budget"] == 60 and config["strategy"] == "regularized-evolution"
    assert run(*command) == 0
    again = json.loads((out / "summary.json").read_text())
    assert {k: v for k, v in again.items() if k != "wall_s"} == {k: v for k, v in summary.items() if k != "wall_s"}


def test_settings_from_a_file_are_the_same_run(tmp_path: Path) -> None:
    values = {"space": "nasbench-graph", "task": "cora", "strategy": "random", "budget": 20, "seed": 1}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    assert run("search", "--config", tmp_path / "c.yaml", "--out", tmp_path / "a") == 0
    assert run("search", *CORA, "--strategy", "random", "--budget", 20, "--seed", 1, "--out", tmp_path / "b") == 0
    a, b = (json.loads((tmp_path / x / "summary.json").read_text()) for x in "ab")
    assert a["best"] == b["best"] and a["config_hash"] == b["config_hash"]
    assert run("search", "--config", tmp_path / "a" / "config.yaml", "--seed", 2, "--out", tmp_path / "c") == 0
    assert json.loads((tmp_path / "c" / "summary.json").read_text())["config_hash"] != a["config_hash"]


def test_constraints_hold_for_what_is_reported(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [*CORA, "--strategy", "local-search", "--budget", 60, "--constraint", "latency_s<=0.003"]
    assert run("search", *command, "--constraint", "params_m<=1.5", "--out", out) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["best"]["metrics"]["latency_s"] <= 0.003
    assert summary["best"]["metrics"]["params_m"] <= 1.5


def test_own_table_pareto_and_workers(table: Path, tmp_path: Path) -> None:
    results = []
    for executor in (["serial"], ["process", "--workers", "2"]):
        out = tmp_path / executor[0]
        command = ["--table", table, "--strategy", "random", "--objective", "acc:max", "--objective", "cost:min"]
        assert run("search", *command, "--budget", 30, "--executor", *executor, "--out", out) in (0,)
        summary = json.loads((out / "summary.json").read_text())
        results.append(summary["pareto"])
        assert len(summary["pareto"]) >= 1 and "plotly" in (out / "report.html").read_text()
    assert results[0] == results[1]


def error_of(capsys, *args: object) -> str:
    assert run(*args) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("gennas: "), lines
    return lines[0]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--space", "nasbench2O1"], "Did you mean nasbench201"),
        ([*CORA, "--strategy", "evolution"], "regularized-evolution"),
        ([*CORA, "--objective", "val_acc:max"], "val_accuracy"),
        ([*CORA, "--objective", "val_accuracy:up"], "METRIC:max"),
        ([*CORA, "--report", "test"], "test_accuracy"),
        ([*CORA, "--constraint", "latency_s<=-1"], "Impossible constraint"),
        ([*CORA, "--constraint", "latency_s<=1e-9"], "Impossible constraint"),
        ([*CORA, "--constraint", "latency_s<1"], "latency_ms<=5"),
        (["--task", "digits", "--constraint", "val_accuracy>=1.5"], "Impossible constraint"),
        (["--task", "digits", "--constraint", "params<=10", "--constraint", "params>=20"], "Impossible constraint"),
        (["--task", "digits", "--train-option", "learning_rate=1"], "learning_rate"),
        (["--task", "mnist", "--task-option", "root=/nowhere"], "--download"),
        ([*CORA, "--budget", "0"], "at least 1"),
        ([*CORA, "--table", "x.csv"], "either --task or --table"),
        (["--task", "coral"], "Unknown task"),
        (["--table", "missing.csv", "--objective", "acc"], "missing.csv"),
        ([*CORA, "--strategy-option", "population_sise=3", "--strategy", "regularized-evolution"], "population_sise"),
        ([*CORA, "--epochs", "3"], "drop --epochs"),
        (["--task", "digits", "--evaluator", "table"], "No table"),
    ],
)
def test_bad_input_is_one_clear_line_and_writes_nothing(args, reason: str, tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    assert reason in error_of(capsys, "search", *args, "--out", out)
    assert not out.exists()


def test_table_of_another_space(table: Path, tmp_path: Path, capsys) -> None:
    args = ["--space", "nasbench-graph", "--table", table, "--objective", "acc:max", "--out", tmp_path / "run"]
    assert "nasbench-graph" in error_of(capsys, "search", *args)
    assert not (tmp_path / "run").exists()


def test_unwritable_directory(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "Cannot write" in error_of(capsys, "search", *CORA, "--budget", 3, "--out", tmp_path / "file" / "run")


def test_another_configuration_is_refused_with_the_differing_keys(tmp_path: Path, capsys) -> None:
    out, base = tmp_path / "run", ["search", *CORA, "--strategy", "random", "--budget", 5]
    assert run(*base, "--out", out) == 0
    capsys.readouterr()
    before = {f.name: f.read_bytes() for f in out.iterdir()}
    message = error_of(capsys, *base, "--seed", 7, "--constraint", "latency_s<=1", "--out", out)
    assert "seed: 0 there, 7 now" in message and "constraint" in message and "budget" not in message
    assert {f.name: f.read_bytes() for f in out.iterdir()} == before


def test_corrupt_archive(tmp_path: Path, capsys) -> None:
    out, command = tmp_path / "run", ["search", *CORA, "--strategy", "random", "--budget", 5]
    assert run(*command, "--out", out) == 0
    capsys.readouterr()
    (out / "archive.sqlite").write_bytes(b"garbage, certainly no database " * 300)
    assert "archive" in error_of(capsys, *command, "--out", out)
    assert (out / "archive.sqlite").read_bytes().startswith(b"garbage")


@pytest.mark.parametrize(
    "text", ["nonsense", "|conv~0|", "", "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nope~2|"]
)
def test_malformed_architecture(text: str, capsys) -> None:
    assert "nasbench201" in error_of(capsys, "show", text, "--space", "nasbench201")


def test_unknown_verb_and_help(capsys) -> None:
    assert "Did you mean search" in error_of(capsys, "serch")
    assert run() == 0 and "gennas search --space" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        run("search", "--help")
    assert stop.value.code == 0 and "Example:" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        run("search", "--budgett", "3")
    assert stop.value.code == 2


@pytest.mark.parametrize("kind", ["spaces", "tasks", "strategies", "tables", "metrics"])
def test_list(kind: str, capsys) -> None:
    expected = {
        "spaces": "nasbench101",
        "tasks": "digits",
        "strategies": "local-search",
        "tables": "nasbench-graph/arxiv",
        "metrics": "val_accuracy",
    }
    assert run("list", kind) == 0
    assert expected[kind] in capsys.readouterr().out


def test_sample_is_valid_and_seeded(capsys) -> None:
    outputs = []
    for seed in (1, 1, 2):
        assert run("sample", "--space", "nasbench-graph", "--n", 4, "--seed", seed) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]
    assert len([NASBenchGraph().from_text(line) for line in outputs[0].splitlines()]) == 4


def test_show_draws(tmp_path: Path, capsys) -> None:
    for name in ("a.svg", "a.png"):
        assert run("show", "0012:gat,gcn,fc,skip", "--space", "nasbench-graph", "--out", tmp_path / name) == 0
    shown = capsys.readouterr().out
    assert "parameters" in shown and "gat" in shown
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_train_reports_every_metric(capsys) -> None:
    text = "conv3x3-w16-s1/conv3x3-w16-s2"
    assert run("train", text, "--space", "macro-chain", "--task", "digits", "--epochs", 2) == 0
    shown = capsys.readouterr().out
    for name in ("val_accuracy", "test_accuracy", "params", "flops", "latency_ms"):
        assert name in shown


def test_report_is_rebuilt_from_the_archive(tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    assert run("search", *CORA, "--strategy", "random", "--budget", 10, "--out", out) == 0
    first = capsys.readouterr().out.splitlines()[-2:]
    (out / "report.html").unlink()
    assert run("report", out, "--export", tmp_path / "trials.csv") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == first
    assert (out / "report.html").exists() and len(pd.read_csv(tmp_path / "trials.csv")) == 10
    assert "config.yaml" in error_of(capsys, "report", tmp_path / "nothing")


_SLOW = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell may have told children to ignore it
from gennas.testing import SyntheticEvaluator
from gennas.spaces import NASBench201
import gennas.workbench.problem as p
from gennas.workbench.evaluators import Scored
evaluator = SyntheticEvaluator(NASBench201().schema, delay_s=0.05)
p.score_with = lambda config, space, recorded: Scored(evaluator, "synthetic")
import sys
from gennas.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_saves_and_says_how_to_continue(tmp_path: Path) -> None:
    out = tmp_path / "run"
    args = ["search", "--strategy", "random", "--objective", "score:max", "--budget", "2000", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, *args],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (out / "archive.sqlite").exists() and len(Archive(out / "archive.sqlite", NASBench201())) > 3:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"gennas {' '.join(args)}" in error and "Traceback" not in error
    assert 3 < len(Archive(out / "archive.sqlite", NASBench201())) < 2000


def test_a_generator_is_saved_sampled_and_refuses_another_space(tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    small = [
        "warm_start=6",
        "round_size=3",
        "pool_size=40",
        "unlabelled=50",
        "pretrain_steps=3",
        "refit_every=3",
        "refit_steps=2",
    ]
    options = [arg for text in small for arg in ("--strategy-option", text)]
    assert run("search", *CORA, "--strategy", "generative", *options, "--budget", 12, "--out", out) == 0
    rounds = sorted(p.name for p in (out / "generator").iterdir())
    assert rounds == ["round-001", "round-002"]
    assert "validity" in (out / "report.html").read_text()
    capsys.readouterr()
    folder = out / "generator" / "round-002"
    assert run("sample", "--space", "nasbench-graph", "--generator", folder, "--n", 3) == 0
    texts = capsys.readouterr().out.splitlines()
    assert len([NASBenchGraph().from_text(text) for text in texts]) == 3
    assert "nasbench" in error_of(capsys, "sample", "--space", "nasbench201", "--generator", folder)
    assert "gennas: " in error_of(capsys, "sample", "--space", "nasbench201", "--generator", tmp_path / "none")


def test_tracking_with_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    out = tmp_path / "run"
    assert run("search", *CORA, "--strategy", "random", "--budget", 5, "--track", "wandb", "--out", out) == 0
    assert list((out / "wandb").glob("offline-run-*"))


def test_a_failing_tracker_does_not_stop_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gennas.tracking.wandb

    class Broken:
        def __init__(self, **_: object) -> None: ...

        def start(self, info: object) -> None:
            raise OSError("no route")

    monkeypatch.setattr(gennas.tracking.wandb, "WandbTracker", Broken)
    with pytest.warns(RuntimeWarning, match="no route") as caught:
        args = ["search", *CORA, "--strategy", "random", "--budget", 5, "--track", "wandb", "--out", tmp_path / "run"]
        assert run(*args) == 0
    assert len([w for w in caught if "no route" in str(w.message)]) == 1


@pytest.mark.slow
def test_training_in_workers_gives_what_training_here_gives(tmp_path: Path) -> None:
    space = ["--space", "macro-chain", "--space-option", "max_depth=2", "--space-option", "widths=[8]"]
    command = [*space, "--task", "digits", "--strategy", "random", "--epochs", 1, "--budget", 3]
    values = []
    for executor in (["serial"], ["process", "--workers", 2]):
        out = tmp_path / executor[0]
        assert run("search", *command, "--executor", *executor, "--time-limit-s", 300, "--out", out) == 0
        from gennas.spaces import MacroChain

        archive = Archive(out / "archive.sqlite", MacroChain(max_depth=2, widths=(8,)))
        values.append([(t.arch.key, t.metrics["val_accuracy"], t.metrics["test_accuracy"]) for t in archive.trials()])
        archive.close()
    assert values[0] == values[1] and len(values[0]) == 3
