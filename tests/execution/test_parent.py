"""A worker ends with the process that started it, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import subprocess, sys, time
from gennas.execution.parent import exit_with
time.sleep(float(sys.argv[2]))
exit_with(int(sys.argv[1]), 0.02)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
print(grandchild.pid, flush=True)
time.sleep(30)
"""
PARENT = f"""
import os, subprocess, sys, time
command = [sys.executable, "-c", {CHILD!r}, str(os.getpid()), sys.argv[1]]
child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
print(child.pid, flush=True)
if sys.argv[1] == "0":
    print(child.stdout.readline(), flush=True)
time.sleep(30)
"""


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    end = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_alive(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_worker_and_its_children_outlive_nothing_but_wait_for_the_driver() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "0"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    family = [int(parent.stdout.readline()) for _ in range(2)]
    try:
        time.sleep(0.1)
        assert all(map(is_alive, family)), "while the driver lives they go on"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert all(map(ends, family))
    finally:
        parent.kill()
        for pid in filter(is_alive, family):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_driver_that_died_before_the_worker_looked_is_found() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "0.5"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert ends(child)
