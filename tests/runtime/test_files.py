from pathlib import Path

import pytest

from gennas.runtime.files import (
    _file_system,
    draft,
    draft_folder,
    exists,
    shares_memory,
    sweep_drafts,
    write_atomically,
)


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


MOUNTS = """22 27 0:21 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /home rw - nfs4 server:/home rw
31 30 0:41 / /home/me/local\\040disk rw shared:3 - xfs /dev/sdb rw
32 22 0:42 / /scratch rw - lustre somewhere rw
33 22 0:43 / /scratch rw - tmpfs tmpfs rw
34 22 0:44 / /odd rw - fuse.sshfs x rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/a", "ext4"),
        ("/home/me/a", "nfs4"),
        ("/home/me/local disk/a", "xfs"),
        ("/homes/a", "ext4"),
        ("/scratch/a", "tmpfs"),
        ("/odd/a", "fuse.sshfs"),
    ],
)
def test_the_deepest_mount_counts_and_the_last_of_several(path: str, kind: str) -> None:
    assert _file_system(Path(path), MOUNTS) == kind


def test_memory_is_shared_on_a_file_system_of_this_machine() -> None:
    assert shares_memory(Path("/dev/shm") if Path("/dev/shm").exists() else Path.cwd())


def test_a_folder_is_there_whole_or_not(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with draft_folder(path) as place:
        (place / "a").write_text("1")
        assert not path.exists()
    assert (path / "a").read_text() == "1" and [p.name for p in path.parent.iterdir()] == ["folder"]
    with pytest.raises(RuntimeError), draft_folder(tmp_path / "other") as place:
        (place / "a").write_text("1")
        raise RuntimeError
    with pytest.raises(OSError), draft_folder(path) as place:
        (place / "b").write_text("2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep"] and (path / "a").exists()


def test_drafts_of_the_dead_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".123-report.html").write_text("half")
    (tmp_path / ".77-round-001").mkdir()
    (tmp_path / ".77-round-001" / "a").touch()
    for name in (".lock", ".123x-a", "123-a", ".git"):
        (tmp_path / name).touch()
    sweep_drafts(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".123x-a", ".git", ".lock", "123-a"]


def test_names_that_cannot_be_do_not_exist(tmp_path: Path) -> None:
    assert exists(tmp_path) and not exists(tmp_path / ("a" * 5000)) and not exists(Path("a\0b"))
