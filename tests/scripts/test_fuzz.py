"""A short version of scripts/fuzz, and that it sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz"
SURFACES = [
    "texts", "expressions", "options", "yaml", "tables", "json", "checkpoints", "pickles", "archives", "replies",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and limits memory")


def test_damaged_inputs_are_refused_in_one_line() -> None:
    pytest.importorskip("pyarrow")
    command = [sys.executable, str(SCRIPT), "--inputs", "1200", "--seed", "11", "--limit-s", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    _, *lines, total = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == SURFACES and total.endswith(": 0 faults")
    for line in lines:  # neither all accepted nor all refused: the edits reach beyond the first check
        inputs, accepted, refused = (int(number.replace(",", "")) for number in line.split()[1:4])
        assert accepted + refused == inputs and accepted > 0.03 * inputs and refused > 0.1 * inputs


def test_it_sees_exceptions_long_messages_executions_and_slow_inputs() -> None:
    code = f"""
import os, signal, sys, time, types
sys.path.insert(0, {str(SCRIPT.parent)!r})
from pathlib import Path
fuzz = types.ModuleType("fuzz"); sys.modules["fuzz"] = fuzz
exec(compile(Path({str(SCRIPT)!r}).read_text(), "fuzz", "exec"), fuzz.__dict__)
from gennas.errors import ConfigError
class Bad(fuzz.Surface):
    def run(self, rng):
        yield "content"
        if self.folder == "raise": raise KeyError("x")
        if self.folder == "long": raise ConfigError("x" * 3000)
        if self.folder == "lines": raise ConfigError("a\\nb")
        if self.folder == "run": os.system("true")
        if self.folder == "slow": time.sleep(9)
        if self.folder == "refuse": raise ConfigError("no")
sys.addaudithook(fuzz._audit); signal.signal(signal.SIGALRM, fuzz._alarm)
for kind in ("raise", "long", "lines", "run", "slow", "refuse", "fine"):
    found = fuzz.Found("bad")
    fuzz._one(Bad(kind), found, 0, 0, 0.3, False)
    print(kind, *[fault[0].split(" at ")[0] for fault in found.faults])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == [
        "raise KeyError",
        "long message of 3 kB",
        "lines message of several lines",
        "run execution",
        "slow _TooSlow",
        "refuse",
        "fine",
    ]
