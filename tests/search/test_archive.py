"""The SQLite archive: its contract, durability, damage, export."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gennas.errors import ArchiveError
from gennas.search import Archive, read_meta
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


def test_learning_curves_are_kept_and_go_with_their_trial(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    with_curves, plain = example_trials(SPACE, 2)
    with_curves = replace(with_curves, curves={"val_accuracy": [0.1, 0.5], "val_loss": [2.0, 1.0]})
    archive.add(with_curves)
    archive.add(plain)
    archive.commit()
    assert archive.trials() == [with_curves, plain]
    archive.replace(replace(with_curves, curves={}))
    assert archive.trials()[0].curves == {} and archive.attempts()[0].id == 0


def test_reading_changes_nothing_and_an_archive_of_0_1_0_has_no_later_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    archive = Archive(path, SPACE)
    archive.add(example_trials(SPACE, 1)[0])
    for table in ("asked", "attempts", "curves"):
        archive._db.execute("COMMIT") if archive._db.in_transaction else None
        archive._db.execute(f"DROP TABLE {table}")
    archive.close()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert list(before) == ["a.sqlite"]  # no log beside it
    reader = Archive(path, SPACE, read_only=True)
    assert len(reader.trials()) == 1 and reader.attempts() == reader.asked() == []
    with pytest.raises(ArchiveError, match="readonly"):
        reader.set_meta("a", "b")
    reader.close()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert read_meta(path, "format", "nothing") == ["1", None]


def test_arrivals_keep_their_order_whatever_the_clock_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    clock = iter([100.0, 50.0, 50.0])
    monkeypatch.setattr("gennas.search.archive.time.time", lambda: next(clock))
    trials = example_trials(SPACE, 3)
    for i in (2, 0, 1):
        archive.add(trials[i])
    assert [t.proposal.id for t in archive.trials(by_arrival=True)] == [2, 0, 1]


@pytest.mark.parametrize(("local", "mode"), [(True, "wal"), (False, "truncate")])
def test_the_log_is_written_ahead_only_where_memory_is_shared(
    local: bool, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gennas.search.archive.shares_memory", lambda path: local)
    archive = Archive(tmp_path / "a.sqlite", SPACE)
    assert archive._db.execute("PRAGMA journal_mode").fetchone()[0] == mode
    archive.add(example_trials(SPACE, 1)[0])
    archive.close()
    assert len(Archive(tmp_path / "a.sqlite", SPACE)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW trials AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i FROM c) SELECT * FROM c",
        "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END",
        "CREATE VIRTUAL TABLE v USING fts5(a)",
    ],
)
def test_what_computes_is_refused(statement: str, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    Archive(path, SPACE).close()
    with sqlite3.connect(path) as db:
        if "VIEW trials" in statement:
            db.execute("DROP TABLE trials")
        db.execute(statement)
    db.close()
    for open_ in (lambda: Archive(path, SPACE), lambda: Archive(path, SPACE, True), lambda: read_meta(path, "format")):
        with pytest.raises(ArchiveError, match="which computes"):
            open_()


def test_an_archive_that_cannot_be_opened_is_not_left_locked(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    archive = Archive(path, SPACE)
    archive.set_meta("format", "2")
    archive.close()
    for _ in range(3):
        with pytest.raises(ArchiveError, match="expected archive format 1, got '2'"):
            Archive(path, SPACE)
    with sqlite3.connect(path, timeout=0) as db:
        db.execute("UPDATE meta SET value = '1' WHERE name = 'format'")
    db.close()
    assert len(Archive(path, SPACE)) == 0


@pytest.mark.parametrize("value", ["{}", '{"acc": 1' + "0" * 400 + "}", '{"acc": "1"}', "[1]", "\\ud800", "[" * 5000])
def test_numbers_that_no_float_can_hold_are_damage(value: str) -> None:
    archive = Archive(":memory:", SPACE)
    with archive.together():
        archive.add_many(example_trials(SPACE, 1))
    archive._db.execute("UPDATE trials SET metrics = ?", (value,))
    if value == "{}":
        assert archive.trials()[0].metrics == {}
        return
    with pytest.raises(ArchiveError, match=r"a stored trial cannot be read .*; restore the file") as caught:
        archive.trials()
    assert len(str(caught.value)) < 500
