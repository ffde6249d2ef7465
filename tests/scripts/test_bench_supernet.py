"""The bench of supernets, on the smallest networks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_supernet"


def lines_of(*words: str) -> list[str]:
    sizes = ["--width", "4", "--resolution", "8", "--batch", "10", "--steps", "3"]
    done = subprocess.run([sys.executable, str(SCRIPT), *sizes, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_prints_a_line_for_every_method():
    lines = lines_of("--parts", "methods", "--methods", "spos", "darts", "fbnet")
    names = [line.split(" ms")[0].rsplit(maxsplit=1)[0].strip() for line in lines]
    assert names == ["stand-alone, all 3x3", "spos", "darts", "darts order 2", "fbnet"]


def test_prints_what_paths_and_scores_cost():
    path, *modes = lines_of("--parts", "paths", "scoring", "--paths", "1", "--evaluations", "2")
    shared, alone, ratio = map(float, re.findall(r"\d+\.\d+", path))
    assert abs(shared / alone - ratio) < 0.1 * ratio  # of one path: but for the rounding
    assert [re.split("[=:]", line)[1] for line in modes] == ["track", "batch", "recalibrate"]
