from pathlib import Path

import pytest

from gennas.runtime.files import draft, write_atomically


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_atomically(path, "ä one")
    with draft(path) as place:
        place.write_text("two")
        assert path.read_text(encoding="utf-8") == "ä one"
        assert place.parent == path.parent and place.suffix == ".txt"
    assert path.read_text() == "two" and [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_what_fails_leaves_the_former_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("former")
    with pytest.raises(ValueError, match="broken"), draft(path) as place:
        place.write_text("half")
        raise ValueError("broken")
    assert path.read_text() == "former" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_atomically(tmp_path / "file" / "a.txt", "")
