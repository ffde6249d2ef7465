"""Telling one's own files from those of others: a digest under a key in the user's configuration folder."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["configuration_folder", "is_sealed", "seal"]


def configuration_folder() -> Path:
    """``$GENNAS_CONFIG_DIR``, or the folder that the system keeps a user's settings of gennas in."""
    from platformdirs import user_config_path

    return Path(os.environ.get("GENNAS_CONFIG_DIR") or user_config_path("gennas", appauthor=False))


def seal(text: str) -> str:
    """HMAC-SHA256 (RFC 2104) of a text under the user's key, in hexadecimal; empty where no key can be kept."""
    key = _key(configuration_folder())
    return hmac.new(key, text.encode(), "sha256").hexdigest() if key else ""


def is_sealed(text: str, digest: str) -> bool:
    """Whether ``digest`` was made from this text by :func:`seal` with this user's key."""
    expected = seal(text)
    return bool(expected) and hmac.compare_digest(expected, digest)


@cache
def _key(folder: Path) -> bytes:
    """The user's key, made when it is first needed; readable by nobody else."""
    file = folder / "key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            own = folder / f".key-{os.getpid()}-{secrets.token_hex(4)}"
            with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
                writer.write(secrets.token_bytes(32))
            with suppress(FileExistsError):  # another process was quicker: its key counts
                os.link(own, file)
            own.unlink()
        found = file.read_bytes()
        return found if len(found) >= 32 else b""
    except OSError:  # a home that cannot be written: nothing is recognised, and --trust is asked for
        return b""
