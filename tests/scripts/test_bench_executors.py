"""The benchmark of executors runs, on small numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_executors"


def test_it_prints_throughput_cost_and_memory() -> None:
    words = "--executors loky --workers 2 --trials 24 --many 50"
    done = subprocess.run([sys.executable, str(SCRIPT), *words.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    share = float(re.findall(r"([.\d]+) of the ideal", done.stdout)[0])
    assert 0 < share <= 1.1, done.stdout
    assert len(re.findall(r"after +\d+: driver", done.stdout)) == 10
