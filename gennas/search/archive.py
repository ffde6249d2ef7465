"""The archive of a run: one SQLite file, written by the driver alone, durable trial by trial."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gennas.errors import ArchiveError
from gennas.eval.base import Fidelity
from gennas.graph import Population
from gennas.search.frame import trials_frame
from gennas.search.packing import pack_state, unpack_state
from gennas.search.trial import Origin, Proposal, Status, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Archive"]

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


class Archive:
    """Trials, generator rounds and the strategy's last snapshot of one run.

    The loop commits trials (write-ahead log, synchronous) before it tells them, so a killed run loses
    nothing that a strategy was told, and at most 20 ms of quick evaluations. Values of different
    protocols do not mix: an archive remembers
    the identity of its run (:meth:`claim`) and refuses another.

    Args:
        path: the SQLite file, or ``":memory:"``.
        space: turns stored decisions back into architectures.

    Raises:
        ArchiveError: the file is not a gennas archive, is damaged, or cannot be written.
    """

    def __init__(self, path: Path | str, space: Space) -> None:
        self.path, self.space = str(path), space
        self._committed = time.monotonic()
        with self._translated():
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_TABLES)
            found = self.meta("format")
            if found is None:
                self.set_meta("format", _FORMAT)
            elif found != _FORMAT:
                raise ArchiveError(f"{self.path}: expected archive format {_FORMAT}, got {found}; use a new --out.")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ArchiveError(
                f"{self.path}: the archive cannot be used ({error}). Restore it or use a new --out."
            ) from error

    def close(self) -> None:
        """Commit and close the file; the archive cannot be used afterwards."""
        self.commit()
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

    def set_meta(self, name: str, value: str) -> None:
        """Remember a text under ``name``."""
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

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
        p = trial.proposal
        origin: dict[str, Any] = {"source": p.origin.source, "parents": p.origin.parents, "round": p.origin.round}
        if p.origin.details:
            origin["details"] = dict(p.origin.details)
        row = (
            p.id,
            p.arch.key,
            self.space.to_text(p.arch),
            json.dumps(p.arch.decisions.tolist()),
            json.dumps(origin),
            json.dumps(p.fidelity.to_dict()),
            p.seed,
            trial.status,
            json.dumps(dict(trial.metrics)),
            json.dumps(dict(trial.cost)),
            trial.error,
            time.time(),
        )
        with self._translated():
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            self._db.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        if time.monotonic() - self._committed > _COMMIT_EVERY_S:
            self.commit()

    def __len__(self) -> int:
        with self._translated():
            return int(self._db.execute("SELECT COUNT(*) FROM trials").fetchone()[0])

    def trials(self) -> list[Trial]:
        """All trials in the order of their proposals.

        Raises:
            ArchiveError: a row is damaged.
        """
        with self._translated():
            rows = self._db.execute(
                "SELECT id, decisions, origin, fidelity, seed, status, metrics, cost, error FROM trials ORDER BY id"
            ).fetchall()
        try:
            D = np.array([json.loads(r[1]) for r in rows], dtype=np.int16).reshape(-1, self.space.schema.num_decisions)
            archs = Population.from_decisions(self.space.schema, D)
            return [_read_trial(row, archs, i) for i, row in enumerate(rows)]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ArchiveError(f"{self.path}: a stored trial cannot be read ({error}); restore the file.") from error

    # ------------------------------------------------------------------ rounds and snapshots

    def add_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Store the figures of a strategy's round that ended at ``n_evals``; a replayed round is kept once."""
        with self._translated():
            self._db.execute("INSERT OR IGNORE INTO rounds VALUES (?, ?)", (n_evals, json.dumps(dict(record))))

    def rounds(self) -> list[dict[str, float]]:
        """The figures of all rounds, each with its ``n_evals``."""
        with self._translated():
            rows = self._db.execute("SELECT n_evals, record FROM rounds ORDER BY n_evals").fetchall()
        return [{"n_evals": n, **json.loads(record)} for n, record in rows]

    def save_snapshot(self, n_told: int, state: Mapping[str, Any]) -> None:
        """Replace the snapshot: the strategy's state after ``n_told`` trials were told."""
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?)", (n_told, pack_state(state)))

    def snapshot(self) -> tuple[int, dict[str, Any]] | None:
        """The last snapshot, ``(n_told, state)``, or None."""
        with self._translated():
            row = self._db.execute("SELECT n_told, state FROM snapshot").fetchone()
        return None if row is None else (int(row[0]), unpack_state(row[1]))

    # ------------------------------------------------------------------ export

    def to_dataframe(self) -> pd.DataFrame:
        """One row per trial, with metrics, cost and origin as columns."""
        return trials_frame(self.trials(), self.space)

    def export(self, path: Path) -> None:
        """Write the trials as ``.csv``, ``.jsonl`` or ``.parquet``, by the path's ending.

        Raises:
            ArchiveError: another ending.
        """
        frame = self.to_dataframe()
        match path.suffix:
            case ".csv":
                frame.to_csv(path, index=False)
            case ".jsonl":
                frame.to_json(path, orient="records", lines=True)
            case ".parquet":
                frame.to_parquet(path, index=False)
            case other:
                raise ArchiveError(f"Expected a path ending in .csv, .jsonl or .parquet, got {other or 'no ending'!r}.")


def _read_trial(row: tuple[Any, ...], archs: Population, i: int) -> Trial:
    number, _, origin, fidelity, seed, status, metrics, cost, error = row
    o = json.loads(origin)
    proposal = Proposal(
        archs[i],
        Origin(o["source"], tuple(o["parents"]), o["round"], o.get("details", {})),
        Fidelity(**json.loads(fidelity)),
        number,
        seed,
    )
    return Trial(proposal, cast(Status, status), json.loads(metrics), json.loads(cost), error)
