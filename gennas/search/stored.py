"""What an archive's file holds: opened to be read, and rows turned into values, which somebody may have damaged."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from gennas.errors import ArchiveError, reason_of, shown
from gennas.eval.base import Fidelity
from gennas.graph import Architecture
from gennas.search.trial import Origin, Proposal, Status, Trial

__all__ = ["curves_of", "numbers_of", "opened_to_read", "origin_record", "read_meta", "read_origin", "read_trial",
           "refuse_other_objects", "status_of"]  # fmt: skip


def read_meta(path: Path, *names: str) -> list[str | None]:
    """What an archive remembers under ``names``, without a space and without changing the file.

    Raises:
        ArchiveError: the file is no archive.
    """
    try:
        with closing(opened_to_read(path)) as db:
            refuse_other_objects(db, path)
            found = dict(db.execute("SELECT name, value FROM meta").fetchall())
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise ArchiveError(
            f"{path}: expected the archive of a search, got a file that SQLite refuses ({reason_of(error)})."
        ) from error
    return [found.get(name) for name in names]


def opened_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; where the folder cannot be written either, the file is taken as it is."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None)
        try:
            db.execute("PRAGMA trusted_schema=OFF")  # somebody else's views call nothing
            db.execute("SELECT COUNT(*) FROM meta").fetchone()
            return db
        except (sqlite3.Error, UnicodeDecodeError) as error:
            db.close()
            if not isinstance(error, sqlite3.OperationalError):
                raise
            refused = error
    raise refused


def refuse_other_objects(db: sqlite3.Connection, path: Path | str) -> None:
    """Views, triggers and virtual tables are no part of an archive, and would compute while it is read."""
    found = db.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
    ).fetchone()
    if found is not None:
        raise ArchiveError(
            f"{path}: expected the tables of an archive, got {shown(found[0])}, which computes; do not trust it."
        )


def origin_record(proposal: Proposal) -> dict[str, Any]:
    """A proposal's origin as plain values."""
    o = proposal.origin
    found: dict[str, Any] = {"source": o.source, "parents": o.parents, "round": o.round}
    return found | ({"details": dict(o.details)} if o.details else {})


def read_origin(o: Mapping[str, Any]) -> Origin:
    """What :func:`origin_record` wrote."""
    return Origin(o["source"], tuple(o["parents"]), o["round"], o.get("details", {}))


def read_trial(row: tuple[Any, ...], arch: Architecture, curves: Mapping[str, list[float]]) -> Trial:
    """A trial from its row and the architecture that its decisions make.

    Raises:
        ValueError: the stored key is not the architecture's, or a value is out of its set.
        TypeError: a value of another type.
    """
    number, key, _, origin, fidelity, seed, status, metrics, cost, error = row
    if key != arch.key:
        raise ValueError(f"trial {number} has the key {shown(key)}, its decisions have {shown(arch.key)}")
    if type(seed) is not int or not isinstance(error, str):
        raise TypeError(f"trial {number}: seed {shown(seed)}, error {shown(error)}")
    proposal = Proposal(arch, read_origin(json.loads(origin)), Fidelity(**json.loads(fidelity)), number, seed)
    return Trial(proposal, status_of(status), numbers_of(metrics), numbers_of(cost), error, curves)


_STATUSES = ("ok", "failed", "infeasible", "timeout", "lost", "stopped")


def status_of(text: Any) -> Status:
    """The text, if it is the end of a trial.

    Raises:
        ValueError: it is not.
    """
    if text not in _STATUSES:
        raise ValueError(f"expected one of {', '.join(_STATUSES)}, got {shown(text)}")
    return cast(Status, text)


def _is_number(value: Any) -> bool:
    """A number that a float can hold; integers of JSON can be larger."""
    return type(value) is float or (type(value) is int and value.bit_length() < 1024)


def numbers_of(text: str) -> dict[str, float]:
    """A mapping from names to numbers, as JSON."""
    found = json.loads(text)
    if not isinstance(found, dict) or not all(map(_is_number, found.values())):
        raise TypeError(f"expected a mapping of numbers, got {shown(text[:50])}")
    return found


def curves_of(text: str) -> dict[str, list[float]]:
    """A mapping from names to lists of numbers, as JSON.

    Raises:
        ValueError, TypeError: something else.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or not all(
        isinstance(curve, list) and all(map(_is_number, curve)) for curve in found.values()
    ):
        raise TypeError(f"expected a mapping of curves, got {shown(text[:50])}")
    return found
