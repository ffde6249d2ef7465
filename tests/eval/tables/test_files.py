"""Cells and digests of files; what they mean is the table's business."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from gennas.errors import TableError
from gennas.eval.tables.files import FORMATS, read_frame

CSV = b" arch ,acc\r\n007,0.10\nNA,\n"


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_csv_cells_stay_text(tmp_path: Path) -> None:
    frame, digest = read_frame(write(tmp_path / "t.csv", CSV))
    assert frame.to_dict("list") == {"arch": ["007", "NA"], "acc": ["0.10", ""]}
    assert digest == hashlib.sha256(CSV).hexdigest()


def test_packing_changes_neither_cells_nor_digest(tmp_path: Path) -> None:
    plain = read_frame(write(tmp_path / "t.csv", CSV))
    packed = read_frame(write(tmp_path / "u.CSV.GZ", gzip.compress(CSV)))
    assert packed[0].equals(plain[0]) and packed[1] == plain[1]


def test_json_cells_keep_their_types_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    content = b'{"arch": "007", "acc": 1}\n\n{"arch": [1, 2], "acc": null}\n'
    frame, _ = read_frame(write(tmp_path / "t.jsonl", content))
    assert frame["arch"].tolist() == ["007", [1, 2]] and frame["acc"].tolist() == [1, None]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pd.DataFrame({"arch": ["007"], "n": [3]}, index=[5]).to_parquet(tmp_path / "t.pq")
    frame, _ = read_frame(tmp_path / "t.pq")
    assert frame.to_dict("list") == {"arch": ["007"], "n": [3]} and frame.index.tolist() == [0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", CSV, r"got the suffix \.txt"),
        ("t", CSV, "got the suffix none"),
        ("t.csv", b" \n", "the file is empty"),
        ("t.csv", b"arch,acc\n", "no rows"),
        ("t.csv", b"a,b\n1,2\n1,2,3,4\n", "not a readable CSV"),
        ("t.csv", b"\xff\xfe\x00", "not a readable CSV"),
        ("t.csv.gz", CSV, "not a readable gzip"),
        ("t.csv.gz", gzip.compress(CSV, mtime=0)[:-9], "not a readable gzip"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("t.json", b"[1, 2]\n", "line 1: expected a JSON object, got b"),
    ],
)
def test_unreadable_files_name_themselves_and_the_place(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read_frame(write(tmp_path / name, content))
    assert str(caught.value).startswith(f"{name}:")
    if "suffix" in message:
        assert FORMATS in str(caught.value)


def test_a_missing_file_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: No such file"):
        read_frame(tmp_path / "none.csv")
