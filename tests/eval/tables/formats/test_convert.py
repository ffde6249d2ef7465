"""From an official file to a table that a search reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gennas.errors import TableError, UnknownNameError
from gennas.eval.tables import open_table
from gennas.eval.tables.formats import FORMATS, Source, convert_table
from gennas.spaces import NASBench201

KEYS = ["(0, 1, 2, 3, 4, 0)", "(1, 1, 1, 1, 1, 1)", "(2, 2, 2, 2, 2, 2)"]


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Three cells, one without a score."""

    def entry(i: int) -> dict[str, Any]:
        return {"val_accuracy": 90.0 + i} | ({"synflow": {"score": 1.5, "time": 1}} if i else {})

    path = tmp_path / "zc_nasbench201.json"
    path.write_text(json.dumps({"cifar10": {key: entry(i) for i, key in enumerate(KEYS)}}))
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_what_is_written_is_a_table_to_search(official: Path, tmp_path: Path, name: str) -> None:
    done = convert_table(Source(official, dataset="cifar10"), tmp_path / name)
    assert (done.format, done.rows, done.columns) == ("suite-zero", 3, ("hash", "val_accuracy"))
    assert done.searchable and done.space == "nasbench201"
    assert done.left_out == ("column synflow (1 of 3 values were not measured)", "seconds that each proxy took")
    table = open_table(tmp_path / name, NASBench201())
    assert len(table) == 3 and table.optimum("val_accuracy")[0] == 92 and list(table.metrics) == ["val_accuracy"]


def test_rows_or_nothing_may_be_left_out_instead(official: Path, tmp_path: Path) -> None:
    done = convert_table(Source(official), tmp_path / "t.csv", missing="rows")
    assert done.rows == 2 and done.left_out[0] == "1 incompletely measured rows" and "cifar10_synflow" in done.columns
    done = convert_table(Source(official), tmp_path / "k.csv", missing="keep")
    assert done.rows == 3 and pd.read_csv(tmp_path / "k.csv")["cifar10_synflow"].isna().tolist() == [True, False, False]


def test_formats_have_names_and_are_checked(official: Path, tmp_path: Path) -> None:
    assert list(FORMATS) == ["nasbench101", "nats", "suite-zero", "macro", "transnas", "nasbench301", "nasbench-bert"]
    with pytest.raises(UnknownNameError, match="Did you mean nats"):
        convert_table(Source(official), tmp_path / "t.csv", "nat")
    with pytest.raises(TableError, match=r"expected the structure of NAS-Bench-Macro, got another \(json\)"):
        convert_table(Source(official), tmp_path / "t.csv", "macro")
    with pytest.raises(TableError, match=r"ends with \.parquet, \.csv\.gz, \.csv"):
        convert_table(Source(official), tmp_path / "t.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}', r"expected the structure of a known format, got another \(json\)"),
        (b"{broken", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"plain text", "no TFRecord, JSON, pickle or torch file"),
        (b"", "no TFRecord, JSON, pickle or torch file"),
        (b"BZh9broken", "damaged|Cannot read"),
        (b"\x80\x04]\x94.", r"got another \(pickle\)"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        convert_table(Source(tmp_path / "x"), tmp_path / "t.csv")
    assert "\n" not in str(caught.value) and not (tmp_path / "t.csv").exists()


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file or folder"):
        convert_table(Source(tmp_path / "x"), tmp_path / "t.csv")
    with pytest.raises(TableError, match=r"got another \(folder\)"):
        convert_table(Source(tmp_path), tmp_path / "t.csv")


def test_nothing_left_is_an_error_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "zc.json"
    path.write_text(json.dumps({d: {k: {"val_accuracy": 1}} for d, k in zip("ab", KEYS, strict=False)}))
    with pytest.raises(TableError, match="choose a --dataset"):
        convert_table(Source(path), tmp_path / "t.csv")
    assert convert_table(Source(path, dataset="b"), tmp_path / "t.csv").rows == 1
