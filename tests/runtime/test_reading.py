"""Files are read up to a limit, whatever they unpack to, and never held beyond it."""

from __future__ import annotations

import bz2
import gzip
import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from gennas.errors import CheckpointError, ConfigError, TableError
from gennas.runtime.reading import MIB, read_bounded, read_json_bounded


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_content_comes_back_and_one_byte_more_than_allowed_is_refused(pack: object, tmp_path: Path) -> None:
    content, path = bytes(range(256)) * 40, tmp_path / "a"
    path.write_bytes(pack(content))  # type: ignore[operator]
    assert read_bounded(path, len(content), TableError) == content
    with pytest.raises(TableError, match=r"^a: holds more than 0.00976 MiB; if you trust it .* raise --max-gb\.$"):
        read_bounded(path, len(content) - 1, TableError)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_bomb_is_refused_after_no_more_than_it_may_hold(pack: object, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(pack(bytes(80 * MIB)))  # type: ignore[operator]
    assert path.stat().st_size < 0.1 * MIB
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=r"holds more than 200 times its size .* unpack it first"):
            read_bounded(path, 2**31, ConfigError)
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB  # 16 MiB are read, and grow by doubling at most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [b"\x1f\x8b", gzip.compress(b"abc", mtime=0)[:-3], b"BZh9", b"BZh91AY&SY garbage"])
def test_damage_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"^a: damaged, not a readable (gzip|bzip2) file"):
        read_bounded(path, 100, TableError)


def test_what_is_no_file_is_told_in_one_short_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / ("x" * 5000)):
        with pytest.raises(TableError, match=r"Cannot read the table .*") as caught:
            read_bounded(path, 100, TableError, what="the table")
        assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_an_endless_file_ends(tmp_path: Path) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero")
    with pytest.raises(TableError, match="holds more than 1 MiB"):
        read_bounded(Path("/dev/zero"), MIB, TableError)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"expected settings, got what is no JSON .*; train it again"):
        read_json_bounded(path, MIB, CheckpointError, "settings", "train it again")


_PEAK = """
import resource, sys
from pathlib import Path
from gennas.eval.tables import read_table
from gennas.errors import TableError
from gennas.spaces import NASBench201
import pandas, pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_table(Path(path), NASBench201())
    except TableError as error:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def _parquet_bomb(path: Path) -> None:
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    column = pa.array(np.zeros(2**24))  # 128 MiB as cells; run lengths in a few hundred bytes
    parquet.write_table(pa.table({f"c{i}": column for i in range(20)}), path)


def _bombs(folder: Path) -> list[Path]:
    zeros, rows, cell, nested, parquet = (
        folder / name for name in ("zeros.csv.gz", "rows.csv.gz", "cell.json", "nested.json", "runs.parquet")
    )
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb") as packed:
        for _ in range(64):
            packed.write(bytes(16 * MIB))
    zeros.write_bytes(file.getvalue())  # 1 MB that holds 1 GB
    rows.write_bytes(gzip.compress(b"arch,acc\n" + b"a,1\n" * (32 * MIB)))
    cell.write_text('[{"arch": "' + "a" * 3_000_000 + '", "acc": 1}]')
    nested.write_text("[" * 2_000_000)
    _parquet_bomb(parquet)
    return [zeros, rows, cell, nested, parquet]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures the peak in KiB")
def test_tables_that_ask_for_much_memory_are_refused_with_little(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    bombs = _bombs(tmp_path)
    command = [sys.executable, "-c", _PEAK, *map(str, bombs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    for path, line in zip(bombs, done.stdout.splitlines(), strict=True):
        more, _, message = line.partition(" ")
        assert message.startswith(path.name) and len(message) < 500, (path, message)
        assert int(more) < 300 * 1024, (path, more)  # 3.2 GB before
