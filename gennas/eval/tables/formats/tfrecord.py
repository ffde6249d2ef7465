"""TFRecord files without TensorFlow: framed records and their checksums.

Each record is its length (8 bytes, little endian), the masked CRC-32C of these 8 bytes, the payload, and the masked
CRC-32C of the payload; ``masked = rotate_right(crc, 15) + 0xa282ead8`` modulo 2^32. Source: "TFRecord and
tf.train.Example" in TensorFlow's guide; CRC-32C is Castagnoli's, polynomial 0x1edc6f41, as in RFC 3720.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from gennas.errors import TableError

__all__ = ["MAX_RECORD", "crc32c", "masked_crc32c", "read_records"]

MAX_RECORD = 2**20
"""No record of a benchmark is longer; a longer length is damage."""
_BATCH = 8192
_HEAD, _CRC = struct.Struct("<Q4s"), struct.Struct("<I")


@cache
def _table() -> NDArray[np.uint32]:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(0x82F63B78), values >> 1)
    return values


def crc32c(contents: Sequence[bytes]) -> NDArray[np.uint32]:
    """Checksums of many byte strings at once, ``(n,)``.

    Example:
        >>> [hex(c) for c in crc32c([b"123456789", b""])]
        ['0xe3069283', '0x0']
    """
    lengths = np.array([len(c) for c in contents], dtype=np.intp)
    order = np.argsort(-lengths, kind="stable")
    data = np.zeros((len(contents), int(lengths.max(initial=0))), dtype=np.uint8)
    for row, i in enumerate(order):
        data[row, : lengths[i]] = np.frombuffer(contents[i], dtype=np.uint8)
    columns = np.ascontiguousarray(data.T)
    longer = np.searchsorted(-lengths[order], -np.arange(len(columns)), side="left")  # rows that have byte j
    state, table = np.full(len(contents), 0xFFFFFFFF, dtype=np.uint32), _table()
    for column, n in zip(columns, longer, strict=True):
        state[:n] = table[(state[:n] ^ column[:n]) & 0xFF] ^ (state[:n] >> 8)
    found = np.empty_like(state)
    found[order] = ~state
    return found


def masked_crc32c(contents: Sequence[bytes]) -> NDArray[np.uint32]:
    """Checksums as TFRecord files hold them, ``(n,)``."""
    crc = crc32c(contents)
    return (((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)).astype(np.uint32)


def read_records(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """Payloads of a file, checked; where a record's checksums are both zero, its writer made none.

    Args:
        path: the file.
        on_bytes: is told now and then how many bytes have been read.

    Raises:
        TableError: the file ends within a record, a length is impossible, or a checksum is wrong.
    """
    try:
        with path.open("rb") as file:
            first = 1
            while batch := _batch(path, file, first):
                _check(path, batch, first)
                on_bytes(file.tell())
                yield from (payload for _, payload, _ in batch)
                first += len(batch)
    except OSError as error:
        raise TableError(f"Cannot read {path}: {error.strerror}.") from error


def _batch(path: Path, file: IO[bytes], first: int) -> list[tuple[bytes, bytes, bytes]]:
    """Up to 8,192 records as head, payload and the payload's checksum."""
    found: list[tuple[bytes, bytes, bytes]] = []
    while len(found) < _BATCH and (head := file.read(_HEAD.size)):
        where = f"{path.name}: record {first + len(found):,}"
        if len(head) < _HEAD.size:
            raise TableError(f"{where}: the file ends here; download it again.")
        length = _HEAD.unpack(head)[0]
        if length > MAX_RECORD:
            raise TableError(f"{where}: expected up to {MAX_RECORD:,} bytes, got {length:,}: damaged, or no TFRecord.")
        payload = file.read(length)
        crc = file.read(_CRC.size)
        if len(payload) < length or len(crc) < _CRC.size:
            raise TableError(f"{where}: the file ends within it; download it again.")
        found.append((head, payload, crc))
    return found


def _check(path: Path, batch: Sequence[tuple[bytes, bytes, bytes]], first: int) -> None:
    given = np.array([[_CRC.unpack(head[8:])[0], _CRC.unpack(crc)[0]] for head, _, crc in batch], dtype=np.uint32)
    right = np.stack([masked_crc32c([h[:8] for h, _, _ in batch]), masked_crc32c([p for _, p, _ in batch])], axis=1)
    wrong = (given != right).any(axis=1) & (given != 0).any(axis=1)
    if wrong.any():
        raise TableError(
            f"{path.name}: record {first + int(np.argmax(wrong)):,}: wrong checksum; the file is damaged, "
            "download it again."
        )
