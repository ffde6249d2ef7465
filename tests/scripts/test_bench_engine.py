from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_engine"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_table_and_a_second_call_that_runs_what_is_missing(tmp_path: Path) -> None:
    words = ["--problems", "blocks", "rare-bought", "--budget", "30", "--checkpoints", "10", "30", "--batch", "5"]
    words += ["--seeds", "2", "--first-seed", "7", "--workers", "1", "--out", str(tmp_path), "--strategies", "random"]
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 4 and all(r["evaluations"] == 30 for r in records)
    for record in records:
        numbers, values = zip(*record["curve"], strict=True) if record["curve"] else ((), ())
        assert list(values) == sorted(set(values)) and all(1 <= n <= 30 for n in numbers)
        assert record["cpu"][-1][0] == 30
    (tmp_path / "runs.jsonl").write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])  # cut off in the fourth
    done = bench(*words, "nsga2@population_size=5", "--reference", "random", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "3 of 8 runs are there already" in done.stderr
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 9  # three, a torn one, five
    assert "8 of 8 runs" in bench(*words, "nsga2@population_size=5").stderr
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == ["`random`", "`nsga2@population_size=5`"] * 2
    best = [r["curve"][-1][1] for r in records if '"blocks"' in r["key"]]
    assert rows[0][2].startswith(f"{sum(best) / 2:.2f} ± {abs(best[0] - best[1]) / 2:.2f}")
    assert rows[0][3] == "–" and "p=" in rows[1][3]


def test_what_is_unknown_is_refused_before_the_first_run(tmp_path: Path) -> None:
    assert "unknown problem 'nk2'" in bench("--problems", "nk2").stderr
    done = bench("--problems", "nk", "--strategies", "random", "randon", "--out", str(tmp_path))
    assert done.returncode and "Did you mean random" in done.stderr and not (tmp_path / "runs.jsonl").exists()
    listed = bench("--list").stdout
    assert "macro12" in listed and "local-search-tuned: local-search@edits=2@tries=200" in listed
