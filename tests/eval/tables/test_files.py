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
        ("t.json", b"[1, 2]\n", "line 1: expected a JSON object, got "),
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


PLAIN = "arch,acc,note\nx|1,0.5,a\ny|2,0.25,b\n"
CELLS = {"arch": ["x|1", "y|2"], "acc": ["0.5", "0.25"], "note": ["a", "b"]}


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", ",\n"),
        "# made by hand, today\n#\n" + PLAIN.replace("y|2", "# y|0,1,c\ny|2"),
        "# by hand\n# arch,acc,note\n" + PLAIN.partition("\n")[2],
        "\n" + PLAIN,
        PLAIN.replace("x|1", '"x|1"'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_means_one_thing_only_is_read(tmp_path: Path, text: str, encoding: str) -> None:
    frame, _ = read_frame(write(tmp_path / "t.csv", text.encode(encoding)))
    assert frame[list(CELLS)].to_dict("list") == CELLS


def test_a_comma_in_cells_does_not_hide_the_separator(tmp_path: Path) -> None:
    frame, _ = read_frame(write(tmp_path / "t.tsv", b"arch\tops, six\n(4,0)\t1\n(4,0,3)\t2\n"))
    assert frame.to_dict("list") == {"arch": ["(4,0)", "(4,0,3)"], "ops, six": ["1", "2"]}


def test_what_may_mean_two_things_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"t\.csv: its columns can be separated by commas and by semicolons"):
        read_frame(write(tmp_path / "t.csv", b"a,b;c\n1,2;3\n"))
    with pytest.raises(TableError, match=r"more cells than the header, separated by commas; put cells that hold a ','"):
        read_frame(write(tmp_path / "t.csv", b"arch,acc\n(4,0,3),0.5\n"))
    with pytest.raises(TableError, match="save it as UTF-8"):
        read_frame(write(tmp_path / "t.csv", "arch,acc\nä,1\n".encode("latin-1")))


@pytest.mark.parametrize(
    "text",
    ['[{"arch": "x", "acc": 1},\n {"arch": "y", "acc": 2}]', '{"arch": ["x", "y"], "acc": [1, 2]}',
     '{"arch": "x", "acc": 1}\n{"arch": "y", "acc": 2}\n'],
)  # fmt: skip
def test_json_as_array_as_columns_and_as_lines(tmp_path: Path, text: str) -> None:
    frame, _ = read_frame(write(tmp_path / "t.json", text.encode()))
    assert frame.to_dict("list") == {"arch": ["x", "y"], "acc": [1, 2]}


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.csv", "arch,acc, acc\nx,1,2\n"), ("t.tsv", "arch\tacc\tacc\nx\t1\t2\n")],
)
def test_columns_of_one_name_are_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(TableError, match="several columns are called 'acc'"):
        read_frame(write(tmp_path / name, text.encode()))


def test_keys_that_stand_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"line 1 is not JSON .a key stands twice"):
        read_frame(write(tmp_path / "t.jsonl", b'{"acc": 1, "acc": 2}\n'))
