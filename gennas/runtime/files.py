"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gennas.errors import OutputError, shown

__all__ = ["draft", "draft_folder", "exists", "shares_memory", "sweep_drafts", "write_atomically"]


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A place beside ``path`` to write to, which takes its name when the block ends.

    A reader, or a later run, finds the former file or the new one, never half of one. Where the block raises, the
    draft is removed and ``path`` left as it was. The folder is made if it is missing.

    Raises:
        OutputError: the folder or the file cannot be written, also where the block raised an :class:`OSError`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with draft(Path(folder) / "a" / "b.txt") as place:
        ...         _ = place.write_text("whole")
        ...     (Path(folder) / "a" / "b.txt").read_text()
        'whole'
    """
    with _writing(path) as place:
        try:
            yield place
            place.replace(path)
        finally:
            with suppress(OSError):  # a folder, or a place that cannot be: the error that is under way says more
                place.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """A name for a draft of ``path``; what the system refuses is one kind of error, with one line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_former(path)
        yield path.with_name(f".{os.getpid()}-{path.name}")  # the ending stays last: writers choose formats by it
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and "\0" not in str(path):
            raise
        number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
        full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "free some space and run the same again" if full else "choose another place, or make it writable"
        message = f"Cannot write {shown(str(path), 300)[1:-1]}: {reason}; {advice}."
        raise OutputError(message, reason, number) from error


def _sweep_former(path: Path) -> None:
    """Remove drafts of ``path`` that are older than an hour: processes were killed while they wrote them."""
    for place in path.parent.glob(f".[0-9]*-{glob.escape(path.name)}"):
        with suppress(OSError):  # another process does the same
            mine = re.fullmatch(r"\.\d+", place.name.removesuffix(f"-{path.name}"))
            if mine and time.time() - place.stat().st_mtime > 3600:
                _remove(place)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path``, which takes its name when the block ends: it is there with all of its files or not.

    ``path`` must not exist, or be an empty folder.

    Raises:
        OutputError: it cannot be written, or there is something at ``path``.
    """
    with _writing(path) as place:
        try:
            place.mkdir()
            yield place
            place.replace(path)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def sweep_drafts(folder: Path) -> None:
    """Remove drafts that killed processes left in a folder; nobody else may write to it meanwhile."""
    for place in folder.glob(".[0-9]*-*"):
        if re.match(r"\.\d+-", place.name):
            _remove(place)


def exists(path: Path) -> bool:
    """Whether there is a file or folder; no for names that the system cannot have, such as ones that are too long."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def write_atomically(path: Path, content: str) -> None:
    """Write a text file, UTF-8, so that nobody ever finds half of it.

    Raises:
        OutputError: it cannot be written.
    """
    with draft(path) as place:
        place.write_text(content, encoding="utf-8")


# File systems of one machine, on which SQLite's write-ahead log may be used: its index is memory that processes share.
_LOCAL = (
    "apfs", "bcachefs", "btrfs", "exfat", "ext", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfs", "jfs", "msdos",
    "ntfs", "ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "ufs", "vfat", "xfs", "zfs",
)  # fmt: skip


def shares_memory(path: Path) -> bool:
    """Whether processes that open a file at ``path`` can share memory through it.

    They can on the file systems of one machine, not on a network's (NFS, SMB, Lustre, …); an unknown one counts as a
    network's. Where the system does not tell (only Linux does, in ``/proc/self/mountinfo``), they are taken to.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return True
    return _file_system(path.resolve(), mounts) in _LOCAL


def _file_system(path: Path, mounts: str) -> str:
    """Type of the file system of ``path``, from lines of ``mountinfo``: the deepest mount, the last of several."""
    deepest, found = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].encode().decode("unicode_escape"))  # blanks are written as \\040
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, found = len(point.parts), right.split()[0]
    return found
