"""The transcript of a language model in the archive's file, and read back from one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gennas.errors import ArchiveError, ConfigError, reason_of
from gennas.models.llm import Transcript
from gennas.models.llm.transcript import record_of
from gennas.search.kept_records import KeptRecords
from gennas.search.stored import opened_to_read, refuse_other_objects

__all__ = ["CALL", "PROBE", "SUGGESTION", "ArchiveTranscript", "read_transcript"]

CALL, SUGGESTION, PROBE = "llm call", "llm suggestion", "llm probe"
"""Kinds of records: a call of a model, an architecture that it suggested, what its server does with grammars."""


class ArchiveTranscript(Transcript):
    """Records of calls in an archive: durable before an answer is used, looked up without holding them in memory.

    Args:
        archive: keeps them.
        source: records of another search, which is replayed: they are copied as they are asked for.
    """

    def __init__(self, archive: KeptRecords, source: Transcript | None = None) -> None:
        super().__init__()
        self.archive, self.source = archive, source

    def add_many(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep records, each under its key, durably."""
        if records:
            self.archive.add_records(
                CALL, [(key, json.dumps({"key": key, **record}, ensure_ascii=True)) for key, record in records]
            )

    def get(self, key: str, occurrence: int) -> dict[str, Any] | None:
        """The record of the so-manieth call under ``key``, from 0.

        Raises:
            ArchiveError: it is damaged.
        """
        text = self.archive.record(CALL, key, occurrence)
        if text is not None:
            return _read(text)
        known = None if self.source is None else self.source.get(key, occurrence)
        if known is not None:
            self.add(key, known)
        return known

    def __len__(self) -> int:
        return len(self.archive.records(CALL))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (_read(text) for _, text in self.archive.records(CALL))

    @property
    def models(self) -> list[str]:
        """Names of the models whose records these are."""
        return sorted({str(record["model"]) for record in self})


def _read(text: str) -> dict[str, Any]:
    try:
        return record_of(text)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ArchiveError(
            f"A record of a language model's call cannot be read ({reason_of(error)}); restore the file."
        ) from error


def read_transcript(source: str | Path) -> Transcript:
    """What a model said in a search: from a run directory, its archive, or a file of JSON lines.

    Raises:
        ConfigError: there is nothing of the kind.
        ArchiveError: it is damaged.
    """
    path = Path(source)
    path = path / "archive.sqlite" if path.is_dir() else path
    if not path.is_file():
        raise ConfigError(f"Expected a run directory, its archive or a transcript to replay, got {str(source)!r}.")
    if path.suffix != ".sqlite":
        return Transcript(path)
    found = Transcript()
    with closing(opened_to_read(path)) as db:
        refuse_other_objects(db, path)
        if not db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'records'").fetchone():
            raise ConfigError(f"{source} holds no transcript: its search asked no language model.")
        for (text,) in db.execute("SELECT record FROM records WHERE kind = ? ORDER BY id", (CALL,)):
            record = _read(text)
            found.records.setdefault(str(record["key"]), []).append(record)
    return found
