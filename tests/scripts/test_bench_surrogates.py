from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_surrogates"


def test_it_prints_a_row_per_surrogate_features_and_labels(shared_data: Path) -> None:
    arguments = ["--surrogates", "gp", "forest", "--labels", "20", "60", "--seeds", "2", "--held-out", "200"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"GENNAS_DATA": str(shared_data)},
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [tuple(row[:3]) for row in rows] == [
        (name, proxies, labels) for name in ("gp", "forest") for proxies in ("no", "yes") for labels in ("20", "60")
    ]
    for row in rows:
        assert float(row[3].split("±")[0]) > 0.3
        covered = [float(share) for share in row[4:8]]
        assert covered == sorted(covered) and covered[2] > 0.6


def test_the_folder_of_tables_must_be_named() -> None:
    env = {name: value for name, value in os.environ.items() if name != "GENNAS_DATA"}
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 2 and "GENNAS_DATA" in done.stderr
