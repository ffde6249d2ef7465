from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_tiny"


@pytest.mark.slow
def test_a_table_and_a_second_call_that_runs_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--problems", "cora", "--seeds", "2", "--graph-budget", "5"]
    words += ["--reference", "random", "--out", str(tmp_path), "--strategies", "random", "biggest-first"]
    first = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=True)
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 4 and all(len(r["curve"]) == 5 for r in records)
    assert all(r["curve"] == sorted(r["curve"]) for r in records)  # what is reported there is what is searched
    ends = [100 * r["curve"][-1] for r in records if "|random|" in r["key"]]
    assert f"{sum(ends) / 2:.2f} ± {abs(ends[0] - ends[1]) / 2:.2f}" in first.stdout
    (tmp_path / "runs.jsonl").write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which the script sets for good
    monkeypatch.setenv("COLUMNS", "80")
    runpy.run_path(str(SCRIPT))["main"]([*words, "warm local-search"])  # here everything is imported already
    found = []
    for line in (tmp_path / "runs.jsonl").read_text().splitlines():
        try:
            found.append(json.loads(line)["key"])
        except ValueError:
            assert line == lines[3][:20]
    assert len(found) == len(set(found)) == 6 and "warm local-search" in capsys.readouterr().out
