from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_spaces"


def test_it_prints_a_row_per_space_and_the_memory_of_the_last() -> None:
    arguments = ["nasbench201", "macro-chain", "--n", "20", "--steps", "2", "--samples", "5", "--memory", "2000"]
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [row[:2] for row in rows] == [["nasbench201", "6"], ["macro-chain", "33"]]
    assert all(float(cell) >= 0 for row in rows for cell in row[2:])
    assert "2,000 architectures of macro-chain and as many mutants, with their keys: " in done.stdout
