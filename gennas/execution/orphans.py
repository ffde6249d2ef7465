"""Processes that would outlive a driver that is killed, such as those of a cluster that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

__all__ = ["Sweeper"]

_MARK = "GENNAS_SWEPT_WITH"


class Sweeper:
    """Ends what this process starts from here on, once this process has ended without saying so.

    What is started inherits a mark in its environment; a small process below this one, in a session of its own, waits
    for this one's end, and then kills every process with the mark. Without ``/proc`` (macOS) nothing is watched.

    Example:
        >>> sweeper = Sweeper()
        >>> sweeper.end()
        >>> "GENNAS_SWEPT_WITH" in os.environ
        False
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if Path("/proc/self/environ").exists():
            mark, quiet = uuid.uuid4().hex, subprocess.DEVNULL
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(os.getpid()), f"{_MARK}={mark}"],
                stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True,
            )  # fmt: skip
            os.environ[_MARK] = mark

    def end(self) -> None:
        """What was started has been ended properly: nothing is swept any more."""
        if self._process is not None:
            os.environ.pop(_MARK, None)
            self._process.kill()
            self._process.wait()
            self._process = None


_PROGRAM = """
import os, signal, sys, time
driver, mark = int(sys.argv[1]), sys.argv[2].encode()
while os.getppid() == driver:
    time.sleep(0.5)
empty = 0
for _ in range(60):  # what is killed may have started something meanwhile, which shows its environment a little later
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read().split(bytes(1)):
                    os.kill(int(name), signal.SIGKILL)
                    found += 1
        except OSError:  # it has ended, or is somebody else's
            continue
    empty = 0 if found else empty + 1
    if empty == 2:
        break
    time.sleep(0.5)
"""
