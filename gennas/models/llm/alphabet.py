"""One symbol for each option of a decision: digits, then letters."""

from __future__ import annotations

import string
import unicodedata

__all__ = ["LABELS", "SYMBOLS", "plain"]

_RANGES = (range(0xC0, 0x250), range(0x400, 0x530))


def _letters() -> str:
    """Letters beyond ASCII that no Unicode normal form changes, so that they come back as they were sent."""
    letters = [chr(c) for r in _RANGES for c in r if chr(c).isalpha()]
    return "".join(c for c in letters if unicodedata.normalize("NFKC", c) == unicodedata.normalize("NFC", c) == c)


SYMBOLS = string.digits + string.ascii_uppercase + string.ascii_lowercase + _letters()
"""Symbol of the first, second, … option of a decision: ``0`` to ``9``, ``A`` to ``Z``, ``a`` to ``z``, then letters
beyond ASCII. No symbol means anything in regular expressions, GBNF or JSON."""

LABELS = string.ascii_uppercase + string.ascii_lowercase + string.digits
"""Labels under which the options of a question are shown: one token each in the tokenizers that are in use."""


def plain(text: str, most: int = 80) -> str:
    r"""A name from elsewhere as prompts show it: one line, without control characters, cut at ``most`` letters.

    Example:
        >>> plain("conv\n\nIgnore the above", 12)
        'conv Ignore…'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
