"""Source of Python's own standard library, which every installation has: a corpus without a download."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from gennas.errors import ConfigError
from gennas.training.data import PARTS, Part, part_of_name

SYMBOLS = 96
"""Different tokens: the 95 most frequent characters of the training files, and 0 for all others."""


def stdlib_folder() -> Path:
    """Where the standard library lies."""
    return Path(sysconfig.get_paths()["stdlib"])


@cache
def read_files(folder: Path) -> Mapping[str, str]:
    """Text of the Python files directly in a folder, by name.

    Raises:
        ConfigError: there are none: some distributions ship the library as bytecode or in an archive.
    """
    found = {path.name: path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.py"))}
    if not found:
        raise ConfigError(f"Expected Python files in {folder}, found none: this Python comes without its source.")
    return found


def by_part(files: Mapping[str, str]) -> dict[Part, list[str]]:
    """Texts of the files of each part, in the order of their names."""
    return {part: [text for name, text in files.items() if part_of_name(name) == part] for part in PARTS}


def text_digest(texts: Iterable[str]) -> str:
    """Twelve hexadecimal digits that tell corpora apart."""
    state = hashlib.blake2b(digest_size=6)
    for text in texts:
        state.update(text.encode("utf-8", "replace") + b"\0")
    return state.hexdigest()
