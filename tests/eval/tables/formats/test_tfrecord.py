"""Framing and checksums of TFRecord files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import TableError
from gennas.eval.tables.formats.tfrecord import MAX_RECORD, crc32c, masked_crc32c, read_records


def framed(payload: bytes, checked: bool = True) -> bytes:
    """A record as TensorFlow writes it."""
    head = struct.pack("<Q", len(payload))
    crcs = masked_crc32c([head, payload]) if checked else [0, 0]
    return head + struct.pack("<I", crcs[0]) + payload + struct.pack("<I", crcs[1])


def test_checksums_are_those_of_rfc_3720() -> None:
    ascending = bytes(range(32))
    found = crc32c([b"\0" * 32, b"\xff" * 32, ascending, ascending[::-1], b"", b"123456789"])
    assert [int(c) for c in found] == [0x8A9136AA, 0x62A8AB43, 0x46DD794E, 0x113FDB5C, 0, 0xE3069283]


def test_the_length_of_a_known_record_has_its_known_mask() -> None:
    # The head of any record of 24 bytes, from the documentation of tools that read such files.
    assert masked_crc32c([struct.pack("<Q", 24)]).astype("<u4").tobytes().hex() == "a37f4b22"


def test_records_come_back_across_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    payloads = [rng.bytes(int(n)) for n in rng.integers(0, 60, 9000)]
    file = tmp_path / "x.tfrecord"
    file.write_bytes(b"".join(framed(p) for p in payloads))
    assert list(read_records(file)) == payloads


def test_absent_checksums_are_no_damage(tmp_path: Path) -> None:
    file = tmp_path / "x.tfrecord"
    file.write_bytes(framed(b"abc", checked=False) + framed(b"de"))
    assert list(read_records(file)) == [b"abc", b"de"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (framed(b"abc") + framed(b"abc").replace(b"b", b"x"), "record 2: wrong checksum"),
        (framed(b"abc")[:-1], "record 1: the file ends within it"),
        (framed(b"abc") + b"\3\0", "record 2: the file ends here"),
        (struct.pack("<Q4s", MAX_RECORD + 1, b""), "record 1: expected up to 1,048,576 bytes"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.tfrecord"
    file.write_bytes(content)
    with pytest.raises(TableError, match=message):
        list(read_records(file))
