"""Errors raised by gennas: each says what was expected, what was got and what to do."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

__all__ = [
    "ArchiveError",
    "CheckpointError",
    "ConfigError",
    "EvaluationError",
    "ExportError",
    "GennasError",
    "InvalidArchitectureError",
    "OutputError",
    "TableError",
    "TaskKindError",
    "UnknownNameError",
    "listed",
    "reason_of",
    "shown",
]


def shown(value: object, most: int = 200) -> str:
    """A value of the user's as messages quote it: its ``repr`` in one line, the middle left out where it is long.

    No more than ``most`` letters of a text are ever turned into a message, and a value whose ``repr`` raises is named
    by its type.

    Example:
        >>> shown("conv3x3"), shown("a" * 5000, 20)
        ("'conv3x3'", "'aaaaaaaaaa…(5,000 letters)…aaaaa'")
    """
    if isinstance(value, str):
        if len(value) <= most:
            return repr(value)
        first, last = repr(value[: most // 2]), repr(value[-(most // 4) :])
        return f"{first[:-1]}…({len(value):,} letters)…{last[1:]}"
    try:
        text = _short.repr(value)
    except Exception:  # somebody else's __repr__
        return f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[: most // 2]}…({len(text):,} letters)…{text[-(most // 4) :]}"


def reason_of(error: BaseException, most: int = 300) -> str:
    r"""What an exception of somebody else's code says, in one line, cut where it is long; its type if that raises.

    Example:
        >>> reason_of(ValueError("two\n  lines")), reason_of(KeyError())
        ('two lines', 'KeyError')
    """
    try:
        text = " ".join(str(getattr(error, "strerror", None) or error).split())
    except Exception:  # somebody else's __str__
        text = ""
    text = text or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}…"


def listed(names: Collection[str], most: int = 60, longest: int = 80) -> str:
    """Names with commas between them as messages list them: the first ones, each in bounds.

    Example:
        >>> listed(["a", "b", "c"], 2)
        'a, b, … (3 in all)'
    """
    short = [" ".join((name if len(name) <= longest else f"{name[:longest]}…").split()) for name in islice(names, most)]
    return ", ".join(short) + (f", … ({len(names):,} in all)" if len(names) > most else "")


class _Short(reprlib.Repr):
    """Representations of bounded size, also of integers that are too large to be printed."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 100
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 8

    def repr_int(self, x: int, level: int) -> str:
        """An integer, or its order of magnitude."""
        return repr(x) if x.bit_length() < 400 else f"an integer of {x.bit_length():,} bits"


_short = _Short()


class GennasError(Exception):
    """Root of every error that gennas raises on purpose."""


class InvalidArchitectureError(GennasError, ValueError):
    """An architecture, or its text, does not belong to the space or schema it is used with."""


class ConfigError(GennasError, ValueError):
    """A setting cannot be used: a wrong value, a contradiction, an impossible constraint."""


class TaskKindError(ConfigError):
    """A task of a kind that a space has no networks for."""


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


class OutputError(GennasError, OSError):
    """A file cannot be written: a full disk, no permission, a folder that is none. What was there before is kept."""

    def __init__(self, message: str, reason: str = "", number: int | None = None) -> None:
        super().__init__(message)
        self.strerror, self.errno = reason or message, number

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.strerror, self.errno)

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownNameError(GennasError, KeyError):
    """A name is not registered; the message lists near names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name[:200], names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        self.message = f"Unknown {kind} {shown(name)}. {hint}Known: {listed(names) or 'none'}."
        super().__init__(self.message)
        self._made_of = (kind, name, names)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of

    def __str__(self) -> str:
        return self.message
