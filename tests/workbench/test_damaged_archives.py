"""Archives that were damaged, or edited by hand: one line, nothing lost, nothing accepted that was not written."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from gennas.cli.main import main
from gennas.workbench.run import search

SETTINGS = {"space": "nasbench-graph", "task": "cora", "strategy": "generative", "budget": 12, "report": False}

DAMAGE = [
    """UPDATE trials SET metrics = '{"val_accuracy": "x"}' WHERE id = 3""",
    "UPDATE trials SET metrics = '{}' WHERE id = 3",
    "UPDATE trials SET metrics = '[]' WHERE id = 3",
    "UPDATE trials SET metrics = 'null' WHERE id = 3",
    "UPDATE trials SET metrics = x'00ff' WHERE id = 3",
    "UPDATE trials SET key = 'abc' WHERE id = 3",
    "UPDATE trials SET status = 'great' WHERE id = 3",
    "UPDATE trials SET decisions = '[9, 9]' WHERE id = 3",
    "UPDATE trials SET decisions = '[9, 9, 9, 9, 9, 9, 9, 9]' WHERE id = 3",
    "UPDATE trials SET decisions = '[1e30]' WHERE id = 3",
    "UPDATE trials SET decisions = 'x' WHERE id = 3",
    "UPDATE trials SET cost = '[]' WHERE id = 3",
    "UPDATE trials SET origin = '{}' WHERE id = 2",
    "UPDATE trials SET origin = '3' WHERE id = 2",
    """UPDATE trials SET fidelity = '{"a": 1}' WHERE id = 2""",
    "UPDATE trials SET seed = 'x' WHERE id = 2",
    "UPDATE trials SET finished = 'x' WHERE id = 2",
    "UPDATE trials SET error = x'00' WHERE id = 2",
    "INSERT INTO rounds VALUES (99, 'nope')",
    "INSERT INTO rounds VALUES (98, '3')",
    "INSERT INTO curves VALUES (3, 'x')",
    """INSERT INTO curves VALUES (3, '{"a": 3}')""",
    "UPDATE meta SET value = 'x' WHERE name = 'wall_s'",
    "UPDATE meta SET value = '3' WHERE name = 'config'",
    "UPDATE meta SET value = '7' WHERE name = 'format'",
    "DROP TABLE meta",
]
# What a search writes again.
MENDED = [
    "UPDATE meta SET value = '3' WHERE name = 'metrics'",
    """UPDATE meta SET value = '{"val_accuracy": {}}' WHERE name = 'metrics'""",
    "DROP TABLE rounds",
]
# What only a search that goes on looks at.
STATE = [
    "INSERT OR REPLACE INTO meta VALUES ('at_once', '[1')",
    "INSERT OR REPLACE INTO meta VALUES ('at_once', '[-1]')",
    "INSERT OR REPLACE INTO meta VALUES ('at_once', '{}')",
    "INSERT OR REPLACE INTO meta VALUES ('again', '{}')",
    "INSERT OR REPLACE INTO meta VALUES ('failing', 'x')",
    "INSERT OR REPLACE INTO asked VALUES (3, 0, 'x')",
    "INSERT OR REPLACE INTO asked VALUES (3, 0, '{}')",
    "INSERT INTO attempts VALUES (1, 'a', 'b', 'c', 'd')",
    "UPDATE snapshot SET state = x'00'",
    "UPDATE snapshot SET n_told = 99",
    "UPDATE trials SET id = 77 WHERE id = 3",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    search(**SETTINGS, out=out)
    return out


def damaged(whole: Path, folder: Path, statement: str) -> Path:
    out = shutil.copytree(whole, folder / "run")
    with sqlite3.connect(out / "archive.sqlite") as db:
        db.execute(statement)
    db.close()
    return out


def go_on(out: Path, budget: int = 16) -> int:
    words = ["search", "--space", "nasbench-graph", "--task", "cora", "--strategy", "generative"]
    return main([*words, "--budget", str(budget), "--out", str(out)])


@pytest.mark.parametrize("statement", DAMAGE)
def test_damage_is_one_line_for_readers_and_searches(
    statement: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = damaged(whole, tmp_path, statement)
    for act in (lambda: main(["report", str(out)]), lambda: go_on(out)):
        code = act()
        error = capsys.readouterr().err
        assert code == 2 and error.startswith("gennas: ") and error.count("\n") == 1, error


@pytest.mark.parametrize("statement", MENDED)
def test_what_a_search_writes_again_is_mended_by_going_on(
    statement: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = damaged(whole, tmp_path, statement)
    assert main(["report", str(out)]) == 2 and capsys.readouterr().err.count("\n") == 1
    assert go_on(out) == 0 and main(["report", str(out)]) == 0


@pytest.mark.parametrize("statement", STATE)
def test_a_damaged_state_is_one_line_and_can_still_be_read(
    statement: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = damaged(whole, tmp_path, statement)
    assert go_on(out) == 2
    error = capsys.readouterr().err
    assert error.startswith("gennas: ") and error.count("\n") == 1, error
    assert main(["report", str(out)]) == 0


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4096])
def test_files_that_are_no_archive(
    content: bytes, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(whole, tmp_path / "run")
    (out / "archive.sqlite").write_bytes(content)
    for act in (lambda: main(["report", str(out)]), lambda: go_on(out)):
        code = act()
        error = capsys.readouterr().err
        assert code == 2 and error.startswith("gennas: ") and error.count("\n") == 1, error
    assert (out / "archive.sqlite").read_bytes() == content
