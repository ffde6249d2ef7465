"""Tables of the user's: formats, and errors that name row and column."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gennas.errors import InvalidArchitectureError, TableError, UnknownNameError
from gennas.eval.tables.user import guess_direction, read_rows, read_table
from gennas.graph import Population
from gennas.spaces.nasbench101.space import NASBench101
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.nasbench_graph.space import NASBenchGraph

SPACE = NASBench201()
A = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
B = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
C = "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def csv(folder: Path, *lines: str, name: str = "mine.csv") -> Path:
    file = folder / name
    file.write_text("\n".join(lines) + "\n")
    return file


GOOD = ("id,arch,val_accuracy,latency_ms,comment", f"x1,{A},0.1,5,slow", f"x2,{B},0.30000000000000004,7e-1,")


def test_csv_gives_metrics_with_directions_and_exact_values(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, *GOOD), SPACE)
    assert list(table.metrics) == ["val_accuracy", "latency_ms"]
    assert [m.direction for m in table.metrics.values()] == ["max", "min"]
    assert table.lookup(SPACE.from_text(B)) == {"val_accuracy": 0.30000000000000004, "latency_ms": 0.7}
    assert table.name == "mine.csv"
    assert table.protocol.startswith("table/mine.csv/")


def test_all_formats_give_the_same_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
    frame = pd.DataFrame({"arch": [A, B], "acc": [0.25, 0.5], "note": ["n", None]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    frame.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("\n\n".join(json.dumps(row) for row in frame.to_dict("records")))
    tables = [read_table(tmp_path / name, SPACE) for name in ("t.csv", "t.csv.gz", "t.parquet", "t.jsonl")]
    for table in tables:
        assert list(table.metrics) == ["acc"]
        assert table.keys == (SPACE.from_text(A).key, SPACE.from_text(B).key)
        assert table.columns["acc"].tolist() == [0.25, 0.5]
    assert tables[0].protocol.split("/")[-1] == tables[1].protocol.split("/")[-1]  # packing changes nothing


def test_protocol_changes_with_the_content(tmp_path: Path) -> None:
    one = read_table(csv(tmp_path, "arch,acc", f"{A},0.5"), SPACE).protocol
    two = read_table(csv(tmp_path, "arch,acc", f"{A},0.6"), SPACE).protocol
    assert one != two


@pytest.mark.parametrize("header", ["arch", "Architecture", "arch_str", "text", "cell"])
def test_the_column_of_architectures_is_found(tmp_path: Path, header: str) -> None:
    table = read_table(csv(tmp_path, f"id,{header},acc", f"1,{A},0.5", f"2,{B},0.5"), SPACE)
    assert "acc" in table.metrics
    assert len(table) == 2


def test_the_column_can_be_named_and_wins_over_unreadable_ones(tmp_path: Path) -> None:
    file = csv(tmp_path, "arch,official,other,acc", f"net7,{A},{B},0.5")
    assert read_table(file, SPACE).keys == (SPACE.from_text(A).key,)
    assert read_table(file, SPACE, arch_column="other").keys == (SPACE.from_text(B).key,)


def test_rows_of_one_architecture_merge_if_they_agree(tmp_path: Path) -> None:
    space = NASBenchGraph()
    lines = ("arch,acc", "0012:gat,gcn,fc,gin", "0012:gcn,gat,gin,fc", "0000:gcn,gat,gin,fc")
    same = csv(tmp_path, lines[0], *(f'"{text}",{acc}' for text, acc in zip(lines[1:], (0.5, 0.5, 0.7), strict=True)))
    table = read_table(same, space)
    assert table.columns["acc"].tolist() == [0.5, 0.7]
    assert table.lookup(space.from_text(lines[2])) == {"acc": 0.5}


def test_rows_of_one_architecture_that_disagree_are_both_named(tmp_path: Path) -> None:
    file = csv(tmp_path, "arch,acc,loss", f"{A},0.5,1", f"{B},0.5,1", f"{A},0.5,2")
    with pytest.raises(
        TableError, match=r"rows 1 and 3 are the same architecture but disagree in column 'loss': 1.0 and 2"
    ):
        read_table(file, SPACE, duplicates="error")
    assert len(read_table(file, SPACE, metrics=["acc"], duplicates="error")) == 2


def test_several_seeds_are_averaged_or_the_first_is_taken(tmp_path: Path) -> None:
    values = (0.1, 0.2, 0.4, 0.7, 0.1, 0.1)
    rows = [f"{text},{value},{0.1 + 0.2}" for text, value in zip((A, B, A, A, B, C), values, strict=True)]
    file = csv(tmp_path, "arch,acc,ms", *rows)
    mean, first = read_table(file, SPACE), read_table(file, SPACE, duplicates="first")
    assert mean.columns["acc"].tolist() == pytest.approx([0.4, 0.15, 0.1])
    assert first.columns["acc"].tolist() == [0.1, 0.2, 0.1]
    assert mean.columns["ms"].tolist() == first.columns["ms"].tolist() == [0.1 + 0.2] * 3  # equal values stay exact
    assert mean.keys == first.keys == tuple(SPACE.from_texts([A, B, C]).keys)
    assert mean.notes == (
        "mine.csv: 2 architectures stand in several rows that disagree: their means are taken (--table-duplicates).",
    )
    assert first.protocol == f"{mean.protocol}/first"


@pytest.mark.parametrize("cell", ["", "nan", "inf", "-inf", "n/a", "-", "None"])
def test_rows_without_a_finite_value_of_a_used_metric_are_left_out_and_counted(tmp_path: Path, cell: str) -> None:
    file = csv(tmp_path, "arch,acc,extra", f"{A},0.1,1", f"{B},0.2,{cell}", f"{C},0.3,3")
    table = read_table(file, SPACE)
    assert table.keys == tuple(SPACE.from_texts([A, C]).keys) and table.columns["extra"].tolist() == [1, 3]
    assert table.notes == ("mine.csv: 1 of 3 rows are left out: they have no finite value of extra (1).",)
    assert not read_table(file, SPACE, metrics=["acc"]).notes
    with pytest.raises(TableError, match="no row has finite values in all of extra"):
        read_table(csv(tmp_path, "arch,extra", f"{A},{cell}"), SPACE, metrics=["extra"])


@pytest.mark.parametrize("cell", ["fast", "0,5 s"])
def test_cells_that_are_no_numbers_are_named(tmp_path: Path, cell: str) -> None:
    file = csv(tmp_path, "arch,acc,extra", f"{A},0.1,1", f'{B},0.2,"{cell}"', f"{C},0.3,3")
    with pytest.raises(TableError, match=r"mine.csv: row 2, column 'extra': expected a finite number, got '"):
        read_table(file, SPACE)
    assert read_table(file, SPACE, metrics=["acc"]).columns["acc"].tolist() == [0.1, 0.2, 0.3]


def test_null_in_json_lines_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps({"arch": A, "acc": 0.5}) + "\n" + json.dumps({"arch": B, "acc": None}) + "\n")
    assert read_table(file, SPACE).keys == (SPACE.from_text(A).key,)
    with pytest.raises(TableError, match="row 2, column 'acc'"):
        read_rows(file, SPACE, ["acc"])


def test_unknown_columns_get_near_names(tmp_path: Path) -> None:
    file = csv(tmp_path, *GOOD)
    with pytest.raises(TableError, match=r"no column 'val_acuracy'. Did you mean val_accuracy"):
        read_table(file, SPACE, metrics=["val_acuracy"])
    with pytest.raises(TableError, match=r"no column 'archs'. Did you mean arch"):
        read_table(file, SPACE, arch_column="archs")
    with pytest.raises(TableError, match="row 1, column 'comment': expected a finite number, got 'slow'"):
        read_table(file, SPACE, metrics=["comment"])


def test_a_bad_text_is_named_by_its_row(tmp_path: Path) -> None:
    file = csv(tmp_path, "arch,acc", f"{A},0.1", f"{B},0.2", "|what~0|+|none~0|,0.3")
    with pytest.raises(TableError, match=r"row 3, column 'arch': nasbench201: expected .* got '\|what~0\|") as caught:
        read_table(file, SPACE)
    assert "another space" not in str(caught.value)


@pytest.mark.parametrize("header", ["arch", "cell"])
def test_a_table_of_another_space_is_recognised(tmp_path: Path, header: str) -> None:
    file = csv(tmp_path, f"{header},acc", f"{A},0.1", f"{B},0.2")
    with pytest.raises(TableError, match="table of another space"):
        read_table(file, NASBench101())


def test_first_bad_row_of_another_space_is_named(tmp_path: Path) -> None:
    file = csv(tmp_path, "arch,acc", f"{A},0.1")
    with pytest.raises(TableError, match=r"row 1, column 'arch'.*another space than nasbench101"):
        read_table(file, NASBench101())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"arch,acc\n", "no rows"),
        ("t.csv", b'arch,acc\n"unclosed,1\n', "not a readable CSV"),
        ("t.csv", b"\xff\xfe\x00arch", "not a readable CSV"),
        ("t.csv.gz", b"arch,acc\n", "not a readable gzip"),
        ("t.csv.gz", gzip.compress(b"arch,acc\n" * 99, mtime=0)[:-9], "not a readable gzip"),
        ("t.jsonl", b'{"arch": 1}\n{"arch": \n', "line 2 is not JSON"),
        ("t.jsonl", b"[1]\n", "line 1: expected a JSON object"),
        ("t.txt", b"arch", r"expected CSV \(.csv\).*got the suffix .txt"),
        ("t.csv", f"arch,name\n{A},x\n".encode(), "expected a column of numbers beside 'arch'"),
    ],
)
def test_unreadable_files_say_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / name, SPACE)


def test_missing_file_and_damaged_parquet(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"Cannot read the table .*none.csv: No such file"):
        read_table(tmp_path / "none.csv", SPACE)
    pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(TableError, match="not a readable Parquet"):
        read_table(tmp_path / "t.parquet", SPACE)


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"gennas\[parquet\]"):
        read_table(tmp_path / "t.parquet", SPACE)


@pytest.mark.parametrize(
    "name", ["val_loss", "test_error", "latency_ms", "train_time", "params_m", "FLOPs", "energy_j"]
)
def test_less_is_better_for_costs(name: str) -> None:
    assert guess_direction(name) == "min"


@pytest.mark.parametrize("name", ["val_accuracy", "c10_val_200", "auc", "synflow", "f1"])
def test_more_is_better_otherwise(name: str) -> None:
    assert guess_direction(name) == "max"


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_every_float_survives_the_file(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    folder = tmp_path_factory.mktemp("floats")
    file = csv(folder, "arch,acc", *(f"{text},{value!r}" for text, value in zip((A, B), values, strict=True)))
    assert read_table(file, SPACE).columns["acc"].tolist() == values


class _InOneBatch(NASBench201):
    """Reads texts through a batch hook."""

    def from_texts(self, texts: Sequence[str]) -> Population:
        if not all(text.count("~") == 6 for text in texts):
            raise InvalidArchitectureError("expected six operations")
        labels = [
            [part.split("~")[0].strip("|+") for part in text.replace("+", "").split("|") if part] for text in texts
        ]
        D = [[self.schema.edge_labels.index(label) for label in row] for row in labels]
        return Population.from_decisions(self.schema, np.array(D, dtype=np.int16))


def test_a_space_that_reads_texts_in_one_batch_is_asked_to(tmp_path: Path) -> None:
    good = csv(tmp_path, "arch,acc", f"{A},0.1", f"{B},0.2", f"{C},0.3")
    assert read_table(good, _InOneBatch()).keys == read_table(good, SPACE).keys
    bad = csv(tmp_path, "arch,acc", f"{A},0.1", "|none~0|,0.2")
    with pytest.raises(TableError, match="row 2, column 'arch': nasbench201: expected"):
        read_table(bad, _InOneBatch())


@pytest.mark.shared
def test_the_published_table_of_nasbench201(shared_data: Path) -> None:
    start = time.process_time()
    table = read_table(shared_data / "nb201.csv.gz", SPACE)
    seconds = time.process_time() - start
    assert (len(table), table.coverage) == (15625, 1.0)
    value, keys = table.optimum("c10_val_200")
    assert round(value, 3) == 91.607
    best = table.keys.index(keys[0])
    assert round(table.columns["c10_test_200"][best], 3) == 94.373
    assert table.metrics["params_c10_m"].direction == "min"
    assert seconds < 15  # a second on an idle core where the space reads texts in one batch


def test_percent_signs_are_fractions_and_are_said(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, "arch,acc", f"{A},93.5%", f"{B}, 7 %", f"{C},"), SPACE)
    assert table.columns["acc"].tolist() == [0.935, 0.07]
    assert "acc is written with percent signs and read as a fraction" in table.notes[0]
    with pytest.raises(TableError, match=r"row 2, column 'acc': expected a percent sign as in other rows, got '0.5'"):
        read_table(csv(tmp_path, "arch,acc", f"{A},93.5%", f"{B},0.5"), SPACE)


@pytest.mark.parametrize("cell", ['"(4,0,3,1,4,3)"', '"[4, 0, 3, 1, 4, 3]"'])
def test_other_tools_forms_are_named_and_read(tmp_path: Path, cell: str) -> None:
    for header in ("arch", "cell"):
        file = csv(tmp_path, f"{header},acc", f"{cell},0.5")
        with pytest.raises(TableError, match="as naslib writes it: give --arch-format naslib"):
            read_table(file, SPACE)
        found = read_table(file, SPACE, arch_format="naslib").archs
        assert found is not None
        text = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
        assert SPACE.to_text(found[0]) == text
        assert read_rows(file, SPACE, arch_format="naslib")[0].keys == found.keys
    with pytest.raises(UnknownNameError, match="Did you mean naslib"):
        read_table(file, SPACE, arch_format="nasslib")


def test_blanks_and_quotes_in_texts_are_skipped() -> None:
    assert SPACE.from_text(" '" + A.replace("+", " + ").replace("|none", "| none") + "' ") == SPACE.from_text(A)
    assert SPACE.from_texts([f'"{A}"']).keys == [SPACE.from_text(A).key]
