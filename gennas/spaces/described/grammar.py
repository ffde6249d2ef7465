"""Spaces of ``kind: grammar``."""

from __future__ import annotations

from pathlib import Path

from gennas.spaces.described.description import GrammarDescription
from gennas.spaces.described.file import digest_of
from gennas.spaces.grammar import Grammar, GrammarSpace

__all__ = ["GrammarFile"]


class GrammarFile(GrammarSpace):
    """The space of a grammar in a YAML file: ``start``, ``rules``, and perhaps ``shared``, ``max_depth``, ``width``.

    Args:
        description: what the file says.
        file: where it stands.

    Raises:
        ConfigError: rules with unknown names or that no derivation can end.
    """

    def __init__(self, description: GrammarDescription, file: Path, width: int | None = None) -> None:
        d = description
        super().__init__(
            d.name or file.stem, Grammar(d.start, d.rules, d.shared, d.max_depth), d.width if width is None else width
        )
        self.description, self.digest = description, digest_of(description)
        self.file: Path = file
        self.options = {}

    def _with_width(self, width: int) -> GrammarFile:
        return GrammarFile(self.description, self.file, width)
