"""Records that strategies keep in the archive's file, such as what they asked a language model and paid for."""

from __future__ import annotations

import sqlite3
import threading
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

__all__ = ["KeptRecords"]

_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_name ON records (kind, name);
"""


class KeptRecords:
    """Texts by kind and name, in the order in which they came; part of an archive. Threads may share it."""

    _db: sqlite3.Connection
    _lock = threading.Lock()

    @abstractmethod
    def _translated(self) -> AbstractContextManager[None]:
        """Errors of the file as errors of an archive."""

    @abstractmethod
    def commit(self) -> None:
        """Make everything added so far durable."""

    def add_records(self, kind: str, records: Sequence[tuple[str, str]], replace: bool = False) -> None:
        """Keep records ``(name, text)``, durably.

        Args:
            kind: what they are.
            records: the texts, under names.
            replace: each takes the place of those with its kind and name.
        """
        with self._lock, self._translated():
            if not self._has_records():
                self.commit()  # a script of statements would do so half-way
                self._db.executescript(_TABLE)
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            if replace:
                self._db.executemany(
                    "DELETE FROM records WHERE kind = ? AND name = ?", [(kind, name) for name, _ in records]
                )
            rows = [(kind, name, text) for name, text in records]
            self._db.executemany("INSERT INTO records (kind, name, record) VALUES (?, ?, ?)", rows)
            self.commit()

    def record(self, kind: str, name: str, place: int = 0) -> str | None:
        """The so-manieth record of a kind under a name, from 0, or None."""
        with self._lock, self._translated():
            if not self._has_records():
                return None
            query = "SELECT record FROM records WHERE kind = ? AND name = ? ORDER BY id LIMIT 1 OFFSET ?"
            row = self._db.execute(query, (kind, name, place)).fetchone()
            return None if row is None else str(row[0])

    def records(self, kind: str) -> list[tuple[str, str]]:
        """All of a kind, ``(name, text)``, in the order in which they came."""
        with self._lock, self._translated():
            if not self._has_records():
                return []
            query = "SELECT name, record FROM records WHERE kind = ? ORDER BY id"
            return [(str(name), str(text)) for name, text in self._db.execute(query, (kind,))]

    def _has_records(self) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'records'").fetchone()
        return found is not None
