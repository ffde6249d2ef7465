"""The bench of methods, on the smallest networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_methods"


def test_prints_a_line_for_every_method():
    sizes = ["--width", "4", "--resolution", "8", "--batch", "10", "--steps", "3"]
    command = [sys.executable, str(SCRIPT), *sizes, "--methods", "spos", "darts", "fbnet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = [line.split(" ms")[0].rsplit(maxsplit=1)[0].strip() for line in done.stdout.splitlines()]
    assert names == ["stand-alone, all 3x3", "spos", "darts", "darts order 2", "fbnet"]
