from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_generator"


def test_it_prints_a_row_per_space_and_question() -> None:
    arguments = ["--n", "30", "--train", "20", "--steps", "2", "--spaces", "nasbench201", "macro-chain"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [(row[0], row[4]) for row in rows] == [
        ("nasbench201", "nothing"),
        ("nasbench201", "0.99"),
        ("macro-chain", "nothing"),
        ("macro-chain", "0.99"),
    ]
    for row in rows:
        speed, renoised, valid, unique, novel, memory = map(float, row[5:])
        assert speed > 0 and renoised > 0 and memory > 0 and valid == 1.0
        assert 0 < unique <= 1 and 0 <= novel <= 1
