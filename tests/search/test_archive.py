"""The SQLite archive: its contract, durability, damage, export."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pandas as pd
import pytest

from gennas.errors import ArchiveError
from gennas.search import Archive
from gennas.spaces import NASBench201
from gennas.testing import ArchiveContract, example_trials

SPACE = NASBench201()


class TestArchive(ArchiveContract):
    def open(self, folder: Path) -> Archive:
        return Archive(folder / "a.sqlite", self.space)


def test_trials_are_durable_after_commit_and_slow_ones_at_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    other = sqlite3.connect(tmp_path / "a.sqlite")
    trials = example_trials(SPACE, 3)
    archive.commit()
    for trial in trials[:2]:
        archive.add(trial)
    archive.commit()
    assert other.execute("SELECT COUNT(*) FROM trials").fetchone() == (2,)
    time.sleep(0.03)
    archive.add(trials[2])
    assert other.execute("SELECT COUNT(*) FROM trials").fetchone() == (3,)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"this is no database, but it is long enough to look at" * 50)
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="cannot be used"):
        Archive(path, SPACE)
    assert path.read_bytes() == before


@pytest.mark.parametrize("column", ["metrics", "decisions", "origin", "fidelity"])
def test_a_damaged_row_is_an_archive_error(column: str) -> None:
    archive = Archive(":memory:", SPACE)
    archive.add(example_trials(SPACE, 1)[0])
    archive._db.execute(f"UPDATE trials SET {column} = 'oops'")
    with pytest.raises(ArchiveError, match="cannot be read"):
        archive.trials()


def test_another_format_is_refused(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    archive.set_meta("format", "99")
    archive.close()
    with pytest.raises(ArchiveError, match="format"):
        Archive(tmp_path / "a.sqlite", SPACE)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_export(tmp_path: Path, ending: str) -> None:
    archive = Archive(":memory:", SPACE)
    trials = example_trials(SPACE, 3)
    for trial in trials:
        archive.add(trial)
    path = tmp_path / f"out.{ending}"
    archive.export(path)
    readers = {
        "csv": pd.read_csv,
        "jsonl": lambda p: pd.read_json(p, lines=True, dtype={"key": str}),
        "parquet": pd.read_parquet,
    }
    frame = readers[ending](path)
    assert frame["arch"].tolist() == [SPACE.to_text(t.arch) for t in trials]
    assert frame["acc"].tolist()[::2] == pytest.approx([0.0, 0.2])
    with pytest.raises(ArchiveError, match=r"\.csv"):
        archive.export(tmp_path / "out.xls")
