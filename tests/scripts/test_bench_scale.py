from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_scale"


def rows(*arguments: str) -> list[list[str]]:
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]


def test_a_row_for_every_number_of_labels() -> None:
    found = rows("--strategies", "bayesian", "--labels", "30", "60", "--batch", "15")
    assert [row[:2] for row in found] == [["bayesian", "30"], ["bayesian", "60"]]
    milliseconds, seconds, best = ([float(row[i]) for row in found] for i in (2, 3, 4))
    assert min(milliseconds) > 0 and seconds[1] > seconds[0] and best[1] >= best[0]
    assert float(found[1][5]) >= seconds[1] and float(found[1][6]) > 0.05 and float(found[1][7]) > 0.01


def test_a_row_for_every_surrogate() -> None:
    found = rows("--agreement", "--labels", "60", "--seeds", "2")
    taus = {row[0]: float(row[1].split("±")[0]) for row in found}
    assert taus["exact"] == taus["capped at 400"] > 0.2  # the cap is not reached
