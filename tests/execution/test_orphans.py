"""A process that is killed leaves nothing of what it started under a sweeper."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

DRIVER = """
import subprocess, sys
from gennas.execution.orphans import Sweeper
sweeper = Sweeper()
started = subprocess.Popen(["sleep", "300"], start_new_session=True, stdout=subprocess.DEVNULL)
if sys.argv[1] == "ended":
    sweeper.end()
print(started.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_what_was_started_ends_with_a_killed_driver(how: str, mark: str, all_end, running_under) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    started = int(driver.stdout.readline())
    while started not in running_under(mark):  # it has an environment a moment after it has begun
        time.sleep(0.01)
    driver.kill()
    driver.communicate()
    if how == "killed":
        assert all_end(mark, 15.0)
    else:
        assert not all_end(mark, 2.0)  # nobody sweeps any more
        os.kill(started, 9)
        assert all_end(mark, 5.0)
