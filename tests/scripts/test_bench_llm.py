from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_llm"


def test_it_prints_overhead_rate_and_validity() -> None:
    pytest.importorskip("xllamacpp")
    arguments = ["--spaces", "nasbench201", "macro-chain", "--repeats", "1", "--rate", "8", "--valid", "10"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [row[0] for row in rows if len(row) == 5] == ["nasbench201", "macro-chain"]
    assert [row[0] for row in rows if len(row) == 4] == ["texts", "choices", "choices, each alone"]
    valid = [row for row in rows if len(row) == 8]
    assert [(row[1], row[2], row[3], row[5]) for row in valid] == [
        ("local", "10", "10", "0"), ("server, texts", "9", "9", "0"), ("server, choices", "1", "1", "0"),
    ] * 2  # fmt: skip


def test_single_requests() -> None:
    pytest.importorskip("xllamacpp")
    arguments = ["--repeats", "0", "--rate", "0", "--single", "4"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    (alone,) = [row for row in rows if len(row) == 4]
    assert alone[0] == "4" and float(alone[1]) > 0 and 0 < float(alone[3].rstrip("%")) < 100
    requests = [row for row in rows if len(row) == 3]
    assert [row[0] for row in requests] == ["the same", "new each time"]
    assert all(float(cell) > 0 for row in requests for cell in row[1:])
