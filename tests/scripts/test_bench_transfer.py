from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "bench_transfer"


def test_it_continues_and_compares_with_scratch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.jsonl"
    main = runpy.run_path(str(SCRIPT))["main"]
    main.__globals__.update(POINTS=(4, 8), DATASETS=("cora", "citeseer"))
    main.__globals__["archive"].__wrapped__.__defaults__ = (101,)
    given = ["--datasets", "cora", "--strategy", "bayesian", "--strategy-option", "pool_size=50", "--out", str(out)]
    main([*given, "--variants", "scratch", "--seeds", "0-1"])
    main([*given, "--variants", "scratch", "both", "--seeds", "0-1"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["variant"], row["seed"]) for row in rows] == [("scratch", 0), ("scratch", 1), ("both", 0), ("both", 1)]
    assert all(row["regret_4"] >= row["regret_8"] >= 0 for row in rows)
    assert "both: " in capsys.readouterr().out.splitlines()[-1]
