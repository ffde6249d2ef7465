"""How much memory there is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["available_memory"]

_SYSTEM = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_memory(system: Path = _SYSTEM, group: Path = _GROUP) -> int | None:
    """Bytes that a process may still take: what the system has, within the limit of its group; None if unknown.

    Args:
        system: the kernel's figures.
        group: folder of the control group's figures.
    """
    found = []
    if system.exists():
        lines = dict(line.split(":", 1) for line in system.read_text().splitlines() if ":" in line)
        if "MemAvailable" in lines:
            found.append(1024 * int(lines["MemAvailable"].split()[0]))
    limit, used = group / "memory.max", group / "memory.current"
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        found.append(max(int(text) - int(used.read_text()), 0))
    return min(found) if found else None
