"""The archive of a run: one SQLite file, written by the driver alone, durable trial by trial."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gennas.errors import ArchiveError, reason_of, shown
from gennas.eval.base import Fidelity
from gennas.graph import Population
from gennas.runtime.files import shares_memory
from gennas.search.frame import trials_frame, write_frame
from gennas.search.kept_records import KeptRecords
from gennas.search.packing import pack_state, unpack_state
from gennas.search.stored import (
    curves_of,
    numbers_of,
    opened_to_read,
    origin_record,
    read_origin,
    read_trial,
    refuse_other_objects,
    status_of,
)
from gennas.search.trial import GIVEN, Proposal, Status, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Archive", "Attempt"]

V = TypeVar("V", float, list[int], dict[str, Any])
_FORMAT = "1"
_COMMIT_EVERY_S = 0.02
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, text TEXT NOT NULL, decisions TEXT NOT NULL,
    origin TEXT NOT NULL, fidelity TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL,
    metrics TEXT NOT NULL, cost TEXT NOT NULL, error TEXT NOT NULL, finished REAL NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (n_evals INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS snapshot (
    only INTEGER PRIMARY KEY CHECK (only = 1), n_told INTEGER NOT NULL, state BLOB NOT NULL);
"""
_LATER_TABLES = """
CREATE TABLE IF NOT EXISTS asked (id INTEGER PRIMARY KEY, told INTEGER NOT NULL, proposal TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS curves (id INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER NOT NULL, text TEXT NOT NULL, status TEXT NOT NULL, cost TEXT NOT NULL, error TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Attempt:
    """A former attempt at a trial that was evaluated again: its number, architecture, end and cost."""

    id: int
    text: str
    status: Status
    cost: Mapping[str, float]
    error: str


class Archive(KeptRecords):
    """Trials, generator rounds and the strategy's last snapshot of one run.

    The loop commits trials (synchronous) before it tells them, so a killed run loses nothing that a strategy was
    told, and at most 20 ms of quick evaluations. The log is written ahead where the file system lets processes share
    memory; on a network's file system, where it does not, the older rollback journal is used. Values of different
    protocols do not mix: an archive remembers the identity of its run (:meth:`claim`) and refuses another.

    Args:
        path: the SQLite file, or ``":memory:"``.
        space: turns stored decisions back into architectures.
        read_only: change nothing, not even the file's journal; the file must be there.

    Raises:
        ArchiveError: the file is not a gennas archive, is damaged, or cannot be written.
    """

    def __init__(self, path: Path | str, space: Space, read_only: bool = False) -> None:
        self.path, self.space, self._is_read_only = str(path), space, read_only
        self._committed = time.monotonic()
        with self._translated():
            self._db = opened_to_read(Path(path)) if read_only else self._opened()
        try:
            self._check(read_only)
        except BaseException:
            self._db.close()  # or it stays locked
            raise

    def _check(self, read_only: bool) -> None:
        """Refuse what is no archive of this format; tables that earlier versions did not have are made."""
        with self._translated():
            if read_only and not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'attempts'").fetchone():
                self._db.executescript(_LATER_TABLES.replace("CREATE TABLE", "CREATE TEMP TABLE"))  # of version 0.1.0
            refuse_other_objects(self._db, self.path)
            found = self.meta("format")
            if found is None and not read_only:
                self.set_meta("format", _FORMAT)
            elif found != _FORMAT:
                got = shown(found, 60)
                raise ArchiveError(f"{self.path}: expected archive format {_FORMAT}, got {got}; use a new --out.")
        with self._reading("the time of a trial"):
            self._latest = float(self._db.execute("SELECT COALESCE(MAX(finished), 0) FROM trials").fetchone()[0])

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA journal_mode={'WAL' if shares_memory(Path(self.path)) else 'TRUNCATE'}")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_TABLES + _LATER_TABLES)
        except sqlite3.Error:
            db.close()
            raise
        return db

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """What is stored is not what was written: damage, or somebody's hand."""
        try:
            with self._translated():
                yield
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
            raise ArchiveError(f"{self.path}: {what} cannot be read ({reason_of(error)}); restore the file.") from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise ArchiveError(
                f"{self.path}: the archive cannot be used ({reason_of(error)}). Restore it or use a new --out."
            ) from error

    def close(self) -> None:
        """Commit and close the file, which then stands alone; the archive cannot be used afterwards."""
        self.commit()
        if not self._is_read_only:
            with suppress(sqlite3.OperationalError):  # somebody reads it: the log beside it stays
                self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def commit(self) -> None:
        """Make everything added so far durable."""
        if self._db.in_transaction:
            with self._translated():
                self._db.execute("COMMIT")
        self._committed = time.monotonic()

    def meta(self, name: str) -> str | None:
        """A remembered text, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def meta_value(self, name: str, default: V) -> V:
        """A remembered number, list or mapping, as JSON; ``default``, whose type it has, where there is none.

        Raises:
            ArchiveError: it is something else.
        """
        with self._reading(f"what is remembered as {shown(name)}"):
            text = self.meta(name)
            if text is None:
                return default
            value = json.loads(text)
            kinds = (int, float) if isinstance(default, float) else type(default)
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise TypeError(f"expected {type(default).__name__}, got {shown(text[:50])}")
            if isinstance(value, list) and not all(type(item) is int and item >= 0 for item in value):
                raise TypeError(f"expected numbers of trials, got {shown(text[:50])}")
            return value

    def set_meta(self, name: str, value: str) -> None:
        """Remember a text under ``name``."""
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def drop_meta(self, name: str) -> None:
        """Forget what is remembered under ``name``."""
        with self._translated():
            self._db.execute("DELETE FROM meta WHERE name = ?", (name,))

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes made inside become durable at once, or none of them."""
        self.commit()
        with self._translated():
            self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self.commit()

    def claim(self, identity: str) -> None:
        """Bind the archive to a run's identity (schema, protocol, seed, strategy).

        Raises:
            ArchiveError: it is bound to another identity.
        """
        found = self.meta("identity")
        if found is None:
            self.set_meta("identity", identity)
        elif found != identity:
            raise ArchiveError(
                f"{self.path} holds trials of {found}; this run is {identity}. "
                "Values of different protocols are never pooled: use a new --out."
            )

    # ------------------------------------------------------------------ trials

    def add(self, trial: Trial) -> None:
        """Store one finished trial; it is durable after :meth:`commit`.

        A trial that took longer than 20 ms is committed at once; quicker ones share a commit.
        """
        self._insert(trial)
        if time.monotonic() - self._committed > _COMMIT_EVERY_S:
            self.commit()

    def _insert(self, trial: Trial) -> None:
        p = trial.proposal
        self._latest = max(time.time(), self._latest + 1e-6)  # the order of arrivals, whatever the clock does
        row = (
            p.id,
            p.arch.key,
            self.space.to_text(p.arch),
            json.dumps(p.arch.decisions.tolist()),
            json.dumps(origin_record(p)),
            json.dumps(p.fidelity.to_dict()),
            p.seed,
            trial.status,
            json.dumps(dict(trial.metrics)),
            json.dumps(dict(trial.cost)),
            trial.error,
            self._latest,
        )
        with self._translated():
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            self._db.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            if trial.curves:
                curves = json.dumps({name: list(values) for name, values in trial.curves.items()})
                self._db.execute("INSERT OR REPLACE INTO curves VALUES (?, ?)", (p.id, curves))

    def add_many(self, trials: Sequence[Trial]) -> None:
        """Store trials inside of :meth:`together`."""
        for trial in trials:
            self._insert(trial)

    def set_aside(self, ids: Sequence[int]) -> None:
        """Move trials to the former attempts (:meth:`attempts`), so that their numbers can be evaluated again."""
        marks = [(i,) for i in ids]
        with self._translated():
            self._db.executemany(
                "INSERT INTO attempts SELECT id, text, status, cost, error FROM trials WHERE id = ?", marks
            )
            self._db.executemany("DELETE FROM trials WHERE id = ?", marks)
            self._db.executemany("DELETE FROM curves WHERE id = ?", marks)

    def replace(self, trial: Trial) -> None:
        """Store the outcome of a trial that was evaluated again, durably; the former one joins the attempts."""
        with self.together():
            self.set_aside([trial.proposal.id])
            self._insert(trial)

    def attempts(self) -> list[Attempt]:
        """Former attempts at trials that were evaluated again, the oldest first."""
        with self._reading("a former attempt"):
            rows = self._db.execute("SELECT id, text, status, cost, error FROM attempts ORDER BY rowid").fetchall()
            return [Attempt(i, text, status_of(end), numbers_of(cost), error) for i, text, end, cost, error in rows]

    def __len__(self) -> int:
        with self._translated():
            return int(self._db.execute("SELECT COUNT(*) FROM trials").fetchone()[0])

    @property
    def num_charged(self) -> int:
        """How many of the trials count towards a budget."""
        with self._reading("a stored trial"):
            rows = self._db.execute("SELECT origin FROM trials").fetchall()
            return sum(json.loads(origin)["source"] != GIVEN for (origin,) in rows)

    def trials(self, by_arrival: bool = False) -> list[Trial]:
        """All trials in the order of their proposals, or in the order in which they finished.

        Raises:
            ArchiveError: a row is damaged.
        """
        order = "finished, id" if by_arrival else "id"
        columns = "id, key, decisions, origin, fidelity, seed, status, metrics, cost, error"
        with self._reading("a stored trial"):
            rows = self._db.execute(f"SELECT {columns} FROM trials ORDER BY {order}").fetchall()
            found = self._db.execute("SELECT id, record FROM curves").fetchall()
            curves = {number: curves_of(record) for number, record in found}
            D = np.array([json.loads(r[2]) for r in rows], dtype=np.int16)
            D = D.reshape(len(rows), self.space.schema.num_decisions)
            archs = Population.from_decisions(self.space.schema, D)
            return [read_trial(row, archs[i], curves.get(row[0], {})) for i, row in enumerate(rows)]

    # ------------------------------------------------------------------ proposals that are not evaluated yet

    def add_asked(self, proposals: Sequence[Proposal], told: int) -> None:
        """Remember proposals that were made after ``told`` trials had been told; durable with the next commit.

        Args:
            proposals: numbered and seeded.
            told: -1 for what a person enqueued.
        """
        rows = [
            (p.id, told, json.dumps({"decisions": p.arch.decisions.tolist(), "origin": origin_record(p),
                                     "fidelity": p.fidelity.to_dict(), "seed": p.seed}))
            for p in proposals
        ]  # fmt: skip
        with self._translated():
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO asked VALUES (?, ?, ?)", rows)

    def asked(self) -> list[tuple[int, Proposal]]:
        """What :meth:`add_asked` was given, ``(told, proposal)`` by number.

        Raises:
            ArchiveError: a row is damaged.
        """
        with self._reading("a stored proposal"):
            rows = self._db.execute("SELECT id, told, proposal FROM asked ORDER BY id").fetchall()
            return [(int(told), self._read_asked(number, json.loads(text))) for number, told, text in rows]

    def _read_asked(self, number: int, p: Mapping[str, Any]) -> Proposal:
        arch = self.space.architecture(np.array(p["decisions"]))
        return Proposal(arch, read_origin(p["origin"]), Fidelity(**p["fidelity"]), number, p["seed"])

    def drop_asked(self) -> None:
        """Forget what was asked for and not evaluated."""
        with self._translated():
            self._db.execute("DELETE FROM asked")

    # ------------------------------------------------------------------ rounds and snapshots

    def add_round(self, n_evals: int, record: Mapping[str, float], after: int | None = None) -> None:
        """Store the figures of a strategy's round that ended at ``n_evals``; a replayed round is kept once.

        Args:
            n_evals: trials told when it ended.
            record: the figures.
            after: trials told when it began; figures in between are those of its first part alone, and are dropped.
        """
        with self._translated():
            if after is not None:
                self._db.execute("DELETE FROM rounds WHERE n_evals > ? AND n_evals < ?", (after, n_evals))
            self._db.execute("INSERT OR IGNORE INTO rounds VALUES (?, ?)", (n_evals, json.dumps(dict(record))))

    def drop_rounds(self, after: int) -> None:
        """Forget the figures of rounds that ended after ``after`` trials were told."""
        with self._translated():
            self._db.execute("DELETE FROM rounds WHERE n_evals > ?", (after,))

    def rounds(self) -> list[dict[str, float]]:
        """The figures of all rounds, each with its ``n_evals``."""
        with self._reading("the figures of a round"):
            rows = self._db.execute("SELECT n_evals, record FROM rounds ORDER BY n_evals").fetchall()
            return [{"n_evals": int(n), **numbers_of(record)} for n, record in rows]

    def save_snapshot(self, n_told: int, state: Mapping[str, Any]) -> None:
        """Replace the snapshot: the strategy's state after ``n_told`` trials were told."""
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?)", (n_told, pack_state(state)))

    def snapshot(self) -> tuple[int, dict[str, Any]] | None:
        """The last snapshot, ``(n_told, state)``, or None."""
        with self._reading("the strategy's state"):
            row = self._db.execute("SELECT n_told, state FROM snapshot").fetchone()
            return None if row is None else (int(row[0]), unpack_state(row[1]))

    def drop_snapshot(self) -> None:
        """Forget the strategy's state."""
        with self._translated():
            self._db.execute("DELETE FROM snapshot")

    # ------------------------------------------------------------------ export

    def to_dataframe(self, decisions: bool = False) -> pd.DataFrame:
        """One row per trial, with metrics, cost and origin as columns; the ``decisions`` too, if wished."""
        return trials_frame(self.trials(), self.space, decisions)

    def export(self, path: Path, decisions: bool = False) -> None:
        """Write :meth:`to_dataframe`; see :func:`~gennas.search.frame.write_frame`."""
        write_frame(self.to_dataframe(decisions), path)
