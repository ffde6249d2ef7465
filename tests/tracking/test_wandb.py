"""W&B: a real offline run, read back from its own file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from gennas.search.trial import Trial
from gennas.tracking.base import RunInfo, replay
from gennas.tracking.wandb import WandbTracker, default_mode, run_id

QUICK = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True}


@pytest.fixture(autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name)))


def records(run_dir: Path) -> list[Any]:
    """Every record of the one offline run below ``run_dir``: W&B's file is a LevelDB log of protocol buffers.

    After a header of 7 bytes come blocks of 32 KiB; a chunk is a checksum (4 bytes), a length (2), a
    type (1: whole record, 2: first, 3: middle, 4: last part of one) and that many bytes.
    """
    from wandb.proto import wandb_internal_pb2

    (file,) = run_dir.glob("wandb/offline-run-*/run-*.wandb")
    content, at, pending, found = file.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        pending += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            found.append(record)
            pending = b""
    return found


def complete_records(run_dir: Path) -> list[Any]:
    """The records once the last one is there: W&B's service writes the file on its own."""
    for _ in range(100):
        found = records(run_dir)
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.1)
    raise AssertionError("W&B did not finish its file within 10 s")


def history(found: list[Any]) -> list[dict[str, Any]]:
    rows = [record.history for record in found if record.WhichOneof("record_type") == "history"]
    return [{(i.key or "/".join(i.nested_key)): json.loads(i.value_json) for i in row.item} for row in rows]


def test_an_offline_run_holds_the_whole_search(tmp_path: Path, trials: list[Trial], info: RunInfo) -> None:
    checkpoint = tmp_path / "generator" / "round-001"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    tracker = WandbTracker("gennas-tests", tmp_path, mode="offline", settings=QUICK)
    rounds = [{"n_evals": 2, "round": 0, "validity": 0.75}]
    replay(tracker, trials, rounds, info, {"n_evals": 5, "llm": {"api_key": "sk-very-secret"}})

    found = complete_records(tmp_path)
    run = next(record.run for record in found if record.WhichOneof("record_type") == "run")
    assert (run.run_id, run.run_group, run.job_type) == (run_id(info), "nasbench201-random", "search")
    assert (run.display_name, run.project) == ("random-7", "gennas-tests")

    metrics = [record.metric for record in found if record.WhichOneof("record_type") == "metric"]
    assert any(metric.glob_name == "*" and metric.step_metric == "n_evals" for metric in metrics)

    rows = history(found)
    trial_rows = [row for row in rows if "trial/ok" in row]
    assert [row["n_evals"] for row in trial_rows] == [1, 2, 3, 4, 5]
    assert [row["trial/ok"] for row in trial_rows] == [1, 0, 1, 1, 1]
    assert [row["cost/seconds"] for row in trial_rows] == [2.0, 3.0, 5.0, 7.0, 9.0]
    assert [row["incumbent/val"] for row in trial_rows] == [0.5, 0.5, 0.7, 0.7, 0.9]
    assert [row.get("trial/test") for row in trial_rows] == pytest.approx([0.4, None, 0.6, 0.5, 0.8])
    assert [row["n_evals"] for row in rows if row.get("round/validity") == 0.75] == [2]

    artifacts = {r.artifact.type: r.artifact for r in found if r.WhichOneof("record_type") == "artifact"}
    assert {"checkpoint", "architecture"} <= set(artifacts)
    assert set(artifacts["checkpoint"].aliases) == {"round-001", "latest"}

    (table,) = tmp_path.glob("wandb/offline-run-*/files/media/table/archive*.json")
    content = json.loads(table.read_text())
    assert content["columns"] == ["n_evals", "arch", "key", "source", "round", "status", "error", "test", "val"]
    assert content["data"][1][3:] == ["random", 0, "failed", "ValueError: no", None, None]
    assert content["data"][4][1].startswith("|nor_conv_3x3~0|")
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/images/best/*.png"))) == 1

    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"sk-very-secret" not in file.read_bytes()


def test_what_a_continued_run_has_logged_is_not_logged_twice(
    trials: list[Trial], info: RunInfo, tmp_path: Path
) -> None:
    class Run:
        """Stands for an online run that was continued after three trials and one round."""

        def __init__(self) -> None:
            self.rows: list[dict[str, Any]] = []

        def log(self, row: dict[str, Any]) -> None:
            self.rows.append(row)

    tracker = WandbTracker("gennas-tests", tmp_path, mode="offline")
    tracker._run, tracker._logged, tracker._logged_round = Run(), 3, 2
    for n_evals, trial in enumerate(trials, 1):
        tracker.on_trial(trial, n_evals, trials[0])
        if n_evals in (2, 4):
            tracker.on_round(n_evals, {"validity": 1.0})
    assert [row["n_evals"] for row in tracker._run.rows] == [4, 4, 5]
    assert tracker._run.rows[-1]["cost/seconds"] == 9.0  # costs of what was skipped still count


def test_the_id_depends_on_configuration_and_seed_alone(info: RunInfo) -> None:
    assert run_id(info) == run_id(RunInfo({}, "abc123", 7, info.objectives))
    assert run_id(info) != run_id(RunInfo({}, "abc123", 8, info.objectives))
    assert run_id(info) != run_id(RunInfo({}, "abc124", 7, info.objectives))
    assert len(run_id(info)) == 16


@pytest.fixture
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


def test_without_an_account_runs_are_offline(no_account: Path) -> None:
    assert default_mode() == "offline"
    no_account.write_text("machine example.org login user password x\n")
    assert default_mode() == "offline"
    no_account.write_text("not a netrc file")
    assert default_mode() == "offline"


def test_an_account_or_a_wish_decides_the_mode(no_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_account.write_text("machine api.wandb.ai login user password x\n")
    no_account.chmod(0o600)
    assert default_mode() == "online"
    no_account.unlink()
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert default_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert default_mode() == "disabled"
