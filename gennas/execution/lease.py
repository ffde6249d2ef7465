"""A sign on the driver's disk that it lives and still wants its trials; it goes with the driver, however that ends."""

from __future__ import annotations

import os
import platform
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows has no such locks: trials there end with their time limit
    fcntl = None  # type: ignore[assignment]

__all__ = ["Lease", "Sign"]


@dataclass(frozen=True)
class Sign:
    """Where workers see whether a driver wants its trials: a locked file, and the machine on whose disk it is."""

    path: str
    machine: str

    @property
    def is_visible(self) -> bool:
        """Whether this machine, or a disk that it shares, is the driver's."""
        return self.machine == _machine() or Path(self.path).is_file()

    @property
    def is_wanted(self) -> bool:
        """Whether the driver lives and has not ended the lease; ask only where the sign is, or was, visible."""
        try:
            if _own.get(self.path) == os.getpid():
                return Path(self.path).exists()
            with open(self.path, "rb") as file:  # noqa: PTH123
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:  # it is locked
            return True
        return False


class Lease:
    """A locked file; the lock belongs to this process alone, so that the kernel frees it when the process is killed.

    Attributes:
        sign: what workers are told; None where the system has no such locks.

    Example:
        >>> lease = Lease()
        >>> lease.sign.is_visible, lease.sign.is_wanted
        (True, True)
        >>> lease.end()
        >>> lease.sign.is_visible, lease.sign.is_wanted
        (True, False)
    """

    def __init__(self) -> None:
        self.sign: Sign | None = None
        self._file: IO[bytes] | None = None
        if fcntl is not None:
            number, path = tempfile.mkstemp(prefix="gennas-lease-")
            self._file, self.sign = os.fdopen(number, "r+b"), Sign(path, _machine())
            fcntl.lockf(number, fcntl.LOCK_EX)
            _own[path] = os.getpid()

    def end(self) -> None:
        """Say that nothing is wanted any more."""
        if self._file is not None and self.sign is not None:
            with suppress(FileNotFoundError):
                Path(self.sign.path).unlink()
            self._file.close()
            self._file = None


_own: dict[str, int] = {}  # leases and the processes that hold them: a process cannot ask about its own lock


@cache
def _machine() -> str:
    """This machine since it was started."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()} {boot.read_text().strip() if boot.exists() else ''}"
