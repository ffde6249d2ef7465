"""Errors raised by gennas: each says what was expected, what was got and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "ArchiveError",
    "CheckpointError",
    "ConfigError",
    "EvaluationError",
    "ExportError",
    "GennasError",
    "InvalidArchitectureError",
    "TableError",
    "UnknownNameError",
]


class GennasError(Exception):
    """Root of every error that gennas raises on purpose."""


class InvalidArchitectureError(GennasError, ValueError):
    """An architecture, or its text, does not belong to the space or schema it is used with."""


class ConfigError(GennasError, ValueError):
    """A setting cannot be used: a wrong value, a contradiction, an impossible constraint."""


class TableError(GennasError, ValueError):
    """A benchmark table cannot be read as asked: a wrong column, a bad row, a missing architecture."""


class ArchiveError(GennasError, RuntimeError):
    """A run's archive is corrupt, belongs to another run, or cannot be written."""


class CheckpointError(GennasError, ValueError):
    """Saved weights do not fit: another schema, a missing or damaged file."""


class EvaluationError(GennasError, RuntimeError):
    """Scoring an architecture failed; the search records it and goes on."""


class ExportError(GennasError, RuntimeError):
    """A network cannot be written in a format, or what was written gives other outputs."""


class UnknownNameError(GennasError, KeyError):
    """A name is not registered; the message lists near names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        self.message = f"Unknown {kind} {name!r}. {hint}Known: {', '.join(names) or 'none'}."
        super().__init__(self.message)
        self._made_of = (kind, name, names)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of

    def __str__(self) -> str:
        return self.message
