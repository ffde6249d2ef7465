"""Runs that are locked, watched, given points, and that say what is wrong before the budget is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gennas.cli.main import main
from gennas.errors import ConfigError, EvaluationError
from gennas.spaces import MacroChain
from gennas.workbench.compare import compare
from gennas.workbench.config import CompareConfig
from gennas.workbench.directory import read_config
from gennas.workbench.run import Run, _Writer, read_run, search

Maker = Callable[..., Run]

SLOW = """
import sys, time
from gennas.workbench.run import search
def score(arch):
    print("evaluating", flush=True)
    time.sleep(30)
    return 1.0
search(space="nasbench201", evaluator=score, strategy="random", budget=5, out=sys.argv[1], report=False)
"""


def test_another_process_is_kept_out_and_a_dead_one_is_not(tmp_path: Path) -> None:
    words = ["search", "--space", "nasbench-graph", "--task", "cora", "--strategy", "random", "--budget", "3"]
    out = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(out)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "evaluating\n"
        with pytest.raises(ConfigError, match="another process is running this search"):
            search(space="nasbench-graph", task="cora", strategy="random", budget=3, out=out)
        run, archive = read_run(out)  # reading is nobody's business
        archive.close()
        assert run.result.trials == []
    finally:
        process.kill()
        process.wait()
    (out / "archive.sqlite").unlink()
    (out / "config.yaml").unlink()
    assert main([*words, "--out", str(out)]) == 0


def test_summary_and_report_are_written_on_the_way(make_run: Maker, tmp_path: Path) -> None:
    seen: list[tuple[int, str, bool]] = []
    out = tmp_path / "run"

    class Eager:
        def on_start(self, n_evals: int) -> None:
            clock = time.perf_counter
            time.perf_counter = lambda: clock() + 1000.0  # every next look is late  # type: ignore[assignment]
            self.clock = clock

        def on_trial(self, trial, n_evals, incumbent) -> None:
            found = json.loads((out / "summary.json").read_text())
            seen.append((found["n_evals"], found["stopped"], (out / "report.html").exists()))

        def on_round(self, n_evals, record) -> None: ...

    eager = Eager()
    try:
        make_run(budget=1, listeners=[eager], report=True)
    finally:
        time.perf_counter = eager.clock
    assert seen == [(1, "running", True)]


def test_the_writer_costs_next_to_nothing(make_run: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(_Writer, "write", lambda self, run, report=True: written.append(run.result.n_evals))
    make_run(budget=40)
    assert written == [40]  # a quick run: at its end only


def test_an_interrupted_command_leaves_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "calls = []\ndef score(arch):\n    calls.append(1)\n"
        "    if len(calls) == 4: raise KeyboardInterrupt\n    return 1.0\n"
    )
    assert main(["search", "--evaluator", "own.py:score", "--strategy", "random", "--budget", "9", "--out", "r"]) == 130
    assert "Continue with" in capsys.readouterr().err
    assert json.loads(Path("r/summary.json").read_text())["stopped"] == "interrupted"
    assert Path("r/report.html").exists()


def test_when_everything_fails_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("def score(arch):\n    raise OSError(f'no disk for {arch.key}')\n")
    words = ["search", "--evaluator", "own.py:score", "--strategy", "random", "--out", "run"]
    assert main([*words, "--budget", "3"]) == 1
    said = capsys.readouterr().out
    assert "All 3 trials failed with: OSError: no disk for" in " ".join(said.split()) and "loosen" not in said
    assert main(["report", "run"]) == 0 and "no disk for" in capsys.readouterr().out
    assert main([*words, "--budget", "50"]) == 1
    error = capsys.readouterr().err
    assert "20 trials failed with: OSError: no disk" in error and "Traceback" not in error
    Path("own2.py").write_text("def score(arch):\n    return 1.0\n")
    Path("own.py").write_text(Path("own2.py").read_text())
    for name in [n for n in sys.modules if n.startswith("_gennas_user_own")]:
        del sys.modules[name]
    assert main([*words, "--budget", "30"]) == 0
    run, archive = read_run("run")
    assert all(t.ok for t in run.result.trials) and len(archive.attempts()) == 20
    archive.close()


def test_space_and_task_are_tried_before_the_budget_is_touched(tmp_path: Path, capsys) -> None:
    class Wrong(MacroChain):
        def build(self, arch, spec):
            return super().build(arch, type(spec)(spec.kind, spec.input_shape, spec.num_outputs + 1))

    class Broken(MacroChain):
        def build(self, arch, spec):
            raise ZeroDivisionError("no such layer")

    small = {"max_depth": 2, "min_depth": 1, "widths": (4,), "kernels": (3,)}
    for space, said in (
        (Wrong(**small), r"outputs of shape \(2, 10\), got \(2, 11\)"),
        (Broken(**small), "no such layer"),
    ):
        with pytest.raises(ConfigError, match=f"do not work together.*{said}.*No evaluation was spent"):
            search(
                space=space, task="digits", strategy="random", budget=3, epochs=1, out=tmp_path / "run", report=False
            )
        assert not (tmp_path / "run").exists()


def test_what_cannot_work_leaves_its_place_free(tmp_path: Path) -> None:
    """The advice (another proxy) can be followed in the same directory."""
    settings: dict[str, Any] = {
        "space": "gpt", "task": "stdlib", "strategy": "random", "budget": 2, "out": tmp_path / "run", "report": False
    }  # fmt: skip
    with pytest.raises(ConfigError, match="nwot_gelu takes GELU"):
        search(proxy="nwot", objective="nwot:max", **settings)
    assert not (tmp_path / "run").exists()
    assert search(proxy="params", objective="params:min", **settings).result.n_evals == 2


def test_a_comparison_that_cannot_work_leaves_its_place_free(tmp_path: Path) -> None:
    config = CompareConfig(
        "gpt", task="stdlib", proxy="nwot", objective=("nwot:max",), strategies="random", seeds=1, budget=2,
        out=tmp_path / "c",
    )  # fmt: skip
    with pytest.raises(ConfigError, match="nwot_gelu takes GELU"):
        compare(config)
    assert not (tmp_path / "c").exists()


# ---------------------------------------------------------------------- points of one's own


@pytest.mark.parametrize("ending", [".txt", ".csv", ".jsonl", ".parquet"])
def test_enqueued_and_ingested_files(ending: str, make_run: Maker, frame: pd.DataFrame, tmp_path: Path) -> None:
    rows, path = frame.sample(4, random_state=0), tmp_path / f"known{ending}"
    if ending == ".txt":
        path.write_text("\n".join(rows["arch"]) + "\n\n")
    else:
        {"csv": rows.to_csv, "parquet": rows.to_parquet}.get(
            ending[1:], lambda p, index: rows.to_json(p, orient="records", lines=True)
        )(path, index=False)
    run = make_run(enqueue=path)
    texts = [run.problem.space.to_text(t.arch) for t in run.result.trials]
    assert texts[:4] == rows["arch"].tolist() and run.result.n_evals == 8
    assert read_config(tmp_path / "run").enqueue == path
    if ending == ".txt":
        return
    for charged, count in (("charged", 8), ("given", 12)):
        out = tmp_path / charged
        run = make_run(ingest=path, ingest_as=charged, out=out)
        assert len(run.result.trials) == count and run.result.n_evals == 8
        assert run.result.trials[0].metrics["val_accuracy"] == rows["val_accuracy"].iloc[0]
        summary = json.loads((out / "summary.json").read_text())
        assert (summary["n_evals"], summary["n_given"]) == (8, count - 8)
        again = make_run(ingest=path, ingest_as=charged, out=out, budget=10)  # the same command: known already
        assert len(again.result.trials) == count + 2


def test_an_export_of_another_run_can_be_ingested(make_run: Maker, tmp_path: Path) -> None:
    make_run(out=tmp_path / "first")
    assert main(["report", str(tmp_path / "first"), "--export", str(tmp_path / "all.csv")]) == 0
    run = make_run(ingest=tmp_path / "all.csv", budget=12)
    assert [t.proposal.origin.source for t in run.result.trials[:8]] == ["ingested"] * 8 and run.result.n_evals == 12


def test_measurements_in_another_unit_are_refused(make_run: Maker, frame: pd.DataFrame, tmp_path: Path) -> None:
    rows = frame.head(3).assign(val_accuracy=[90.0, 91.0, 92.0])
    rows.to_csv(tmp_path / "percent.csv", index=False)
    chains = {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}
    with pytest.raises(ConfigError, match=r"expected val_accuracy between 0 and 1, got 90 in row 1\."):
        search(
            space="macro-chain", space_option=chains, task="digits", strategy="random", budget=3,
            ingest=tmp_path / "percent.csv", out=tmp_path / "run", report=False,
        )  # fmt: skip
    rows.drop(columns="val_accuracy").to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(Exception, match="no column 'val_accuracy'"):
        make_run(ingest=tmp_path / "none.csv", out=tmp_path / "other")


def test_retrying_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "from pathlib import Path\ndef score(arch):\n"
        "    if Path('broken').exists() and int(arch.key, 16) % 4 == 0: raise OSError('no disk')\n"
        "    return float(arch.decisions.sum())\n"
    )
    Path("broken").touch()
    words = ["search", "--evaluator", "own.py:score", "--strategy", "local-search", "--budget", "30", "--out", "run"]
    assert main(words) == 0
    before, _ = _trials()
    assert any(not t.ok for t in before)
    Path("broken").unlink()
    assert main(words) == 0 and any(not t.ok for t in _trials()[0])
    assert main([*words, "--retry", "failed,timeout"]) == 0
    after, attempts = _trials()
    assert all(t.ok for t in after) and [t.arch for t in after] == [t.arch for t in before]
    assert len(attempts) == sum(not t.ok for t in before)


def _trials():
    run, archive = read_run("run")
    attempts = archive.attempts()
    archive.close()
    return run.result.trials, attempts


# ---------------------------------------------------------------------- other people's warnings


NOISY = """
import warnings, logging
def score(arch):
    warnings.warn_explicit("from a library", DeprecationWarning, "/site-packages/lib.py", 1)
    logging.getLogger("lib").warning("logged by a library")
    warnings.warn("from my own file")
    return 1.0
"""


def test_warnings_of_other_libraries_stay_out_of_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(NOISY)
    words = ["search", "--evaluator", "own.py:score", "--strategy", "random", "--budget", "2", "--out", "run"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])

    def stderr(**more: str) -> str:
        command = [sys.executable, "-m", "gennas", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment | more, capture_output=True, text=True, check=True)
        return done.stderr

    assert stderr() == "gennas: warning: from my own file\n"
    (tmp_path / "run" / "archive.sqlite").unlink()
    assert "from a library" in stderr(PYTHONWARNINGS="default")


def test_an_evaluation_error_is_not_hidden_in_python(make_run: Maker, tmp_path: Path) -> None:
    def fail(arch):
        raise OSError("no disk")

    with pytest.raises(EvaluationError, match="no disk"):
        search(space="nasbench201", evaluator=fail, strategy="random", budget=99, out=tmp_path / "run", report=False)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["stopped"] == "failures"


def test_wrong_files_write_nothing_and_contradictions_are_refused(
    make_run: Maker, frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "known.csv"
    rows = pd.concat([frame.head(2), frame.head(1).assign(val_accuracy=0.6)])
    rows.to_csv(path, index=False)
    with pytest.raises(ConfigError, match="rows 1 and 3 are the same architecture with other values"):
        make_run(ingest=path)
    frame.head(2).assign(val_accuracy=[50.0, 51.0]).to_csv(path, index=False)
    with pytest.raises(ConfigError, match=r"got 50 in row 1\. Is it in another unit"):
        make_run(ingest=path)
    with pytest.raises(Exception, match="nowhere"):
        make_run(enqueue=tmp_path / "nowhere.csv")
    assert not (tmp_path / "run").exists()
    (tmp_path / "notepad.txt").write_text("\ufeff" + frame["arch"].iloc[3] + "\r\n", encoding="utf-8")
    assert make_run(enqueue=tmp_path / "notepad.txt").result.trials[0].proposal.origin.source == "enqueued"


def test_a_smaller_budget_spends_nothing_and_is_not_recorded(make_run: Maker, tmp_path: Path, capsys) -> None:
    make_run(budget=9)
    assert make_run(budget=4).result.n_evals == 9 and read_config(tmp_path / "run").budget == 9
    words = [
        "search",
        "--space",
        "nasbench-graph",
        "--task",
        "cora",
        "--strategy",
        "random",
        "--out",
        str(tmp_path / "n"),
    ]
    assert main([*words, "--budget", "6"]) == 0 and "Continuing" not in capsys.readouterr().out
    assert main([*words, "--budget", "2"]) == 0
    assert "The budget of 2 evaluations is spent: 6 were made before." in capsys.readouterr().out
    assert main([*words, "--budget", "8"]) == 0 and "Continuing after 6 evaluations." in capsys.readouterr().out


TERMINATED = """
import time
def score(arch):
    print("evaluating", flush=True)
    time.sleep(0.2)
    return 1.0
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_end_by_a_signal_leaves_summary_and_report(number: int, code: int, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(TERMINATED)
    words = ["search", "--evaluator", "own.py:score", "--strategy", "random", "--budget", "99", "--out", "run"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "gennas", *words]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    while b"evaluating" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code and b"Continue with" in stderr and b"Traceback" not in stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["stopped"] == "interrupted"
    assert (tmp_path / "run" / "report.html").exists()
