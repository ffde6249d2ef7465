"""A short version of scripts/chaos: every kind of search that needs no torch is killed twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos"
CASES = ["batches", "workers", "asynchronous", "in-flight", "extended", "retried", "mended"]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and reads /proc")
def test_searches_that_are_killed_end_as_those_that_are_not() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", str(2 * len(CASES)), "--cases", *CASES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, total = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == CASES and total.startswith(f"{2 * len(CASES)} kills in")


def test_it_finds_what_differs(tmp_path: Path) -> None:
    """The comparison itself: another seed, and a trial that was not evaluated again, are seen."""
    code = f"""
import sys, types
from pathlib import Path
chaos = types.ModuleType("chaos"); sys.modules["chaos"] = chaos
exec(compile(Path({str(SCRIPT)!r}).read_text(), "chaos", "exec"), chaos.__dict__)
case, folder = chaos.CASES["batches"], Path({str(tmp_path)!r})
for name, seed in (("a", 0), ("b", 0), ("c", 1)):
    chaos.attempt(case, "local-search", seed, folder / name, budget=9)
assert chaos.outcome(folder / "a") == chaos.outcome(folder / "b") != chaos.outcome(folder / "c")
assert not chaos.left_over()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
