"""A worker ends with the process that started it, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import sys, time
from gennas.execution.parent import exit_with_parent
exit_with_parent(0.02)
print("watching", flush=True)
time.sleep(30)
"""
PARENT = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(30)
"""


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_child_outlives_nothing_but_waits_for_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        time.sleep(0.1)
        assert is_alive(child), "while the parent lives the child goes on"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        end = time.monotonic() + 5
        while is_alive(child) and time.monotonic() < end:
            time.sleep(0.01)
        assert not is_alive(child)
    finally:
        parent.kill()
        if is_alive(child):
            os.kill(child, signal.SIGKILL)
