"""Keys of servers: named by their environment variable or file, read when needed, shown nowhere."""

from __future__ import annotations

import os
from pathlib import Path

from gennas.errors import ConfigError, reason_of

__all__ = ["read_key"]

_MOST = 10_000


def read_key(variable: str | None, file: str | Path | None = None, optional: bool = False) -> str:
    """The key in a file, or in an environment variable; empty where there is none and none is needed.

    Args:
        variable: name of the environment variable.
        file: a file that holds the key and nothing else; it wins over the variable.
        optional: the server may want no key.

    Raises:
        ConfigError: a key is needed and not there, the file cannot be read, or it holds something else.
    """
    if file is not None:
        try:
            with Path(file).open(encoding="utf-8") as handle:
                key = handle.read(_MOST).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"Cannot read the key's file {str(file)!r}: {reason_of(error)}.") from error
        where = f"The file {str(file)!r}"
    else:
        key, where = os.environ.get(variable or "", "").strip(), f"The environment variable {variable}"
    if not key and (file is not None or not optional):
        raise ConfigError(f"{where} holds no key; this server needs one.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where} holds more than a key: expected one word of printable ASCII letters.")
    return key
