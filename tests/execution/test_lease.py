"""A lease holds while its driver lives and wants it, and for no process that was forked from it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gennas.execution.lease import Lease, Sign

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX locks")

DRIVER = """
import os, sys, time
from gennas.execution.lease import Lease
lease = Lease()
if os.fork():
    print(lease.sign.path, flush=True)
    print(lease.sign.machine, flush=True)
    time.sleep(60)
time.sleep(8)  # what was forked keeps the file open, not the lock
"""


def test_it_ends_with_a_killed_driver_although_a_forked_process_lives() -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    sign = Sign(driver.stdout.readline().strip(), driver.stdout.readline().strip())
    assert sign.is_visible and sign.is_wanted
    driver.kill()
    driver.wait()
    assert sign.is_visible and not sign.is_wanted
    Path(sign.path).unlink()


def test_another_machine_does_not_see_it() -> None:
    lease = Lease()
    assert lease.sign is not None and lease.sign.is_wanted
    elsewhere = replace(lease.sign, machine="another", path="/nowhere")
    assert not elsewhere.is_visible
    lease.end()
    lease.end()
    assert lease.sign.is_visible and not lease.sign.is_wanted and not Path(lease.sign.path).exists()
