"""The archive: durable, exact, and particular about what it holds."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.errors import ArchiveError
from gennas.eval.base import Fidelity
from gennas.search import Archive, Origin, Proposal, Trial
from gennas.spaces import NASBench201

SPACE = NASBench201()


def trials(n: int) -> list[Trial]:
    archs = SPACE.sample(n, np.random.default_rng(0))
    return [
        Trial(
            Proposal(arch, Origin("test", ("p1", "p2"), 3, {"note": 1}), Fidelity(epochs=2), i, 7 * i),
            "ok" if i % 2 == 0 else "failed",
            {"acc": 0.1 * i} if i % 2 == 0 else {},
            {"seconds": 0.5},
            "" if i % 2 == 0 else "went wrong",
        )
        for i, arch in enumerate(archs)
    ]


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    for trial in reversed(trials(5)):
        archive.add(trial)
    archive.close()
    again = Archive(tmp_path / "a.sqlite", SPACE)
    assert again.trials() == trials(5)
    assert len(again) == 5


def test_trials_are_durable_after_commit_and_slow_ones_at_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    other = sqlite3.connect(tmp_path / "a.sqlite")
    archive.commit()
    for trial in trials(2):
        archive.add(trial)
    archive.commit()
    assert other.execute("SELECT COUNT(*) FROM trials").fetchone() == (2,)
    time.sleep(0.03)
    archive.add(trials(3)[2])
    assert other.execute("SELECT COUNT(*) FROM trials").fetchone() == (3,)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_same_number_twice_is_an_error(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    archive.add(trials(1)[0])
    with pytest.raises(ArchiveError):
        archive.add(trials(1)[0])


def test_protocols_do_not_mix(tmp_path: Path) -> None:
    Archive(tmp_path / "a.sqlite", SPACE).claim("accuracy after 12 epochs")
    with pytest.raises(ArchiveError, match="never pooled"):
        Archive(tmp_path / "a.sqlite", SPACE).claim("accuracy after 200 epochs")


def test_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"this is no database, but it is long enough to look at" * 50)
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="cannot be used"):
        Archive(path, SPACE)
    assert path.read_bytes() == before


def test_a_damaged_row_is_named(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    archive.add(trials(1)[0])
    archive._db.execute("UPDATE trials SET metrics = 'oops'")
    with pytest.raises(ArchiveError, match="cannot be read"):
        archive.trials()


def test_snapshots_and_rounds() -> None:
    archive = Archive(":memory:", SPACE)
    assert archive.snapshot() is None
    archive.save_snapshot(3, {"a": [1]})
    archive.save_snapshot(5, {"a": [2]})
    assert archive.snapshot() == (5, {"a": [2]})
    archive.add_round(5, {"validity": 1.0})
    archive.add_round(5, {"validity": 0.5})
    assert archive.rounds() == [{"n_evals": 5, "validity": 1.0}]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_export(tmp_path: Path, ending: str) -> None:
    archive = Archive(":memory:", SPACE)
    for trial in trials(3):
        archive.add(trial)
    path = tmp_path / f"out.{ending}"
    archive.export(path)
    readers = {
        "csv": pd.read_csv,
        "jsonl": lambda p: pd.read_json(p, lines=True, dtype={"key": str}),
        "parquet": pd.read_parquet,
    }
    frame = readers[ending](path)
    assert frame["arch"].tolist() == [SPACE.to_text(t.arch) for t in trials(3)]
    assert frame["acc"].tolist()[::2] == pytest.approx([0.0, 0.2])
    with pytest.raises(ArchiveError, match=r"\.csv"):
        archive.export(tmp_path / "out.xls")
