from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str, data: Path | None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "GENNAS_DATA"}
    env |= {} if data is None else {"GENNAS_DATA": str(data)}
    words = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=env)


def test_features_are_compared_with_none_and_nothing_runs_twice(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    given = ["--datasets", "c100", "--seeds", "0,1", "--strategy", "bayesian", "--strategy-option", "pool_size=50"]
    for _ in range(2):
        done = run("bench_features", *given, "--per-proposal", "5", "--out", str(out), data=shared_data)
        assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["variant"], row["seed"]) for row in rows] == [
        (variant, seed) for seed in (0, 1) for variant in ("without", "free", "paid")
    ]
    assert all((row["computed"] > 0) == (row["variant"] == "paid") for row in rows)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["c100 without", "c100 free", "c100 paid"]


def test_the_folder_of_tables_must_be_named() -> None:
    done = run("bench_features", data=None)
    assert done.returncode == 2 and "GENNAS_DATA" in done.stderr


def test_an_encoder_is_compared_with_statistics(shared_data: Path, tmp_path: Path) -> None:
    given = ["--spaces", "nasbench201", "--labels", "30", "--seeds", "1", "--steps", "2"]
    done = run("bench_encoder", *given, "--out", str(tmp_path / "rows.jsonl"), data=shared_data)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["kernel"] for row in rows] == ["decisions", "statistics", "encoder", "both"]
    assert all(row["tau"] > 0.2 and 0 < row["best"] <= 1 for row in rows)
