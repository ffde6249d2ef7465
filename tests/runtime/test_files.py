from __future__ import annotations

from pathlib import Path

import pytest

from gennas.runtime.files import draft, write_atomically


def test_a_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "record.json"
    with draft(path) as place:
        place.write_text("half")
        assert not path.exists() and place.parent == path.parent and place.suffix == ".json"
        place.write_text("whole")
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


def test_the_former_file_stays_until_the_end_and_after_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "record.txt"
    write_atomically(path, "first")
    with pytest.raises(RuntimeError, match="broken"), draft(path) as place:
        place.write_text("second")
        assert path.read_text() == "first"
        raise RuntimeError("broken")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]
    write_atomically(path, "größer")
    assert path.read_bytes() == "größer".encode()


def test_nothing_written_is_an_error_and_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "record.txt"
    write_atomically(path, "first")
    with pytest.raises(FileNotFoundError), draft(path):
        pass
    assert path.read_text() == "first"


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_atomically(tmp_path / "file" / "record.txt", "x")
