"""Tests of how much memory there is."""

from __future__ import annotations

from pathlib import Path

from gennas.runtime.memory import available_memory


def test_the_least_of_system_and_group_counts(tmp_path: Path) -> None:
    system = tmp_path / "meminfo"
    assert available_memory(system, tmp_path) is None
    system.write_text("MemTotal:  16000 kB\nMemAvailable:   3000 kB\n")
    assert available_memory(system, tmp_path) == 3000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert available_memory(system, tmp_path) == 3000 * 1024
    (tmp_path / "memory.max").write_text("5000\n")
    assert available_memory(system, tmp_path) == 4000
    system.write_text("nothing\n")
    assert available_memory(system, tmp_path) == 4000


def test_this_machine_has_some() -> None:
    found = available_memory()
    assert found is None or found > 0
