"""Shared fixtures: no network, no account, and the real tables where they are present."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
# The key by which a user's own runs are recognised; never the one of who runs the tests.
_OWN = tempfile.TemporaryDirectory()
os.environ["GENNAS_CONFIG_DIR"] = _OWN.name
# Hypothesis looks at the wall clock, which a busy machine turns into failures.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the published tables; tests that use it are skipped where it is missing."""
    folder = Path(os.environ.get("GENNAS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no published tables in {folder}; set GENNAS_DATA to their folder")
    return folder


# ---------------------------------------------------------------------- what W&B wrote


def _records(run_dir: Path) -> list[Any]:
    """Every record of the one offline run below ``run_dir``: W&B's file is a LevelDB log of protocol buffers.

    After a header of 7 bytes come blocks of 32 KiB; a chunk is a checksum (4 bytes), a length (2), a
    type (1: whole record, 2: first, 3: middle, 4: last part of one) and that many bytes.
    """
    from wandb.proto import wandb_internal_pb2

    file = next(run_dir.glob("wandb/offline-run-*/run-*.wandb"), None)
    if file is None:  # not yet
        return []
    content, at, pending, found = file.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        if at + 7 + length > len(content):  # it is still being written
            break
        pending += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            found.append(record)
            pending = b""
    return found


def _complete_records(run_dir: Path) -> list[Any]:
    """The records once the last one is there: W&B's service writes the file on its own."""
    for _ in range(300):
        found = _records(run_dir)
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.1)
    raise AssertionError("W&B did not finish its file within 30 s")


def _history(found: list[Any]) -> list[dict[str, Any]]:
    rows = [record.history for record in found if record.WhichOneof("record_type") == "history"]
    return [{(i.key or "/".join(i.nested_key)): json.loads(i.value_json) for i in row.item} for row in rows]


@pytest.fixture
def offline_records(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], list[Any]]:
    """Reads the one offline run below a folder; W&B's own folders are apart meanwhile."""
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name)))
    return _complete_records


@pytest.fixture
def history() -> Callable[[list[Any]], list[dict[str, Any]]]:
    """The logged rows among records."""
    return _history
