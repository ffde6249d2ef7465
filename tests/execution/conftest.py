"""What is left of processes that were started under a mark in their environment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MARK = "GENNAS_TEST_MARK"


def marked(mark: str) -> list[int]:
    """Ids of living processes that have the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has ended meanwhile
            continue
        if f"{MARK}={mark}".encode() in environment and state not in "ZX" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mark for every process that is started from here on."""
    monkeypatch.setenv(MARK, str(tmp_path))
    yield str(tmp_path)


@pytest.fixture
def all_end() -> Callable[[str, float], bool]:
    """Whether everything under a mark ends within some seconds."""

    def ends(mark: str, within_s: float = 30.0) -> bool:
        end = time.monotonic() + within_s
        while marked(mark) and time.monotonic() < end:
            time.sleep(0.05)
        return not marked(mark)

    return ends


@pytest.fixture
def running_under() -> Callable[[str], list[int]]:
    """Ids of living processes under a mark."""
    return marked
