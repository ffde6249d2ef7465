from pathlib import Path

import pytest

from gennas.runtime.files import _file_system, draft, shares_memory, write_atomically


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
        ("/work/a", "ext4"),
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
