from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_both_searches_share_trainings_and_pay_for_them(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    given = ["--seeds", "1", "--seconds", "8", "--epochs", "1", "--per-proposal", "2", "--strategy", "bayesian"]
    given += ["--strategy-option", "warm_start=2", "--strategy-option", "pool_size=20", "--out", str(out)]
    for _ in range(2):  # nothing runs twice
        command = [sys.executable, str(ROOT / "scripts" / "bench_trained_features"), *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    rows = {row["variant"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert list(rows) == ["without", "with"] and rows["with"]["feature_s"] > 0 == rows["without"]["feature_s"]
    assert all(row["trainings"] >= 1 and 0 <= row["best"] <= 1 for row in rows.values())
    assert done.stdout.splitlines()[-2].startswith("best: with - without")
