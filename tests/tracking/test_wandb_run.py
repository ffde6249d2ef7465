"""Where W&B runs go: settings before the environment before the defaults; and whether online or not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from gennas.tracking.wandb_run import WandbOptions, default_mode, place_of

THEIRS = {
    "WANDB_PROJECT": "theirs",
    "WANDB_ENTITY": "team",
    "WANDB_RUN_GROUP": "group",
    "WANDB_TAGS": "a, b,",
    "WANDB_NOTES": "notes",
}


def test_settings_come_before_the_environment_and_that_before_the_defaults() -> None:
    assert WandbOptions().resolved({}) == WandbOptions("gennas")
    assert WandbOptions().resolved(THEIRS) == WandbOptions("theirs", "team", "group", ("a", "b"), "notes")
    mine = WandbOptions("mine", "me", "my-group", ("c",), "my notes")
    assert mine.resolved(THEIRS) == mine
    assert WandbOptions(tags=("c",)).resolved(THEIRS).tags == ("c",)


def test_the_environment_is_asked_when_a_run_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    options = WandbOptions()
    monkeypatch.setenv("WANDB_PROJECT", "later")
    assert options.resolved().project == "later"


def test_an_address_online_a_folder_and_a_command_offline() -> None:
    run = SimpleNamespace(url="https://wandb.ai/me/gennas/runs/1", dir="a b/wandb/offline-run-1/files")
    assert place_of(run, "online") == "W&B: https://wandb.ai/me/gennas/runs/1"
    folder = str(Path("a b/wandb/offline-run-1"))
    assert place_of(run, "offline") == f"W&B, offline: {folder}\nUpload: wandb sync '{folder}'"
    assert place_of(run, "disabled") == ""


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
    for host in ("api.wandb.ai", "api.forge.coreweave.com"):  # until and since version 0.31 of wandb
        no_account.write_text(f"machine {host} login user password x\n")
        no_account.chmod(0o600)
        assert default_mode() == "online"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert default_mode() == "offline"
    monkeypatch.delenv("WANDB_BASE_URL")
    no_account.unlink()
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert default_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert default_mode() == "disabled"
