"""Opening a table by name, by import path and by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError, TableError, UnknownNameError
from gennas.eval.tables import TABLES, open_table
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.nasbench_graph.space import NASBenchGraph

SPACE = NASBench201()
A = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENNAS_CACHE", str(tmp_path / "cache"))


def test_the_datasets_are_registered() -> None:
    assert len(TABLES) == 9 + 6
    assert "nasbench-graph/cora" in TABLES and "nasbench201/hw-imagenet16-120-edgetpu" in TABLES


def test_a_name_opens_the_table_with_the_given_space() -> None:
    space = NASBenchGraph("proteins")
    table = open_table("nasbench-graph/proteins", space)
    assert len(table) == 2021
    assert table.space is space


def test_a_file_opens_with_the_wished_columns(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(f"arch,acc,broken\n{A},0.5,\n")
    assert list(open_table(file, SPACE, metrics=["acc"]).metrics) == ["acc"]


def test_a_function_of_the_users_opens_a_table(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(f"arch,acc\n{A},0.5\n")
    (tmp_path / "code.py").write_text(
        "from pathlib import Path\nfrom gennas.eval.tables import read_table\n"
        "def mine(space):\n    return read_table(Path(__file__).with_name('mine.csv'), space)\n"
    )
    assert len(open_table(f"{tmp_path / 'code.py'}:mine", SPACE)) == 1


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean nasbench-graph/cora"):
        open_table("nasbench-graph/coora", SPACE)
    with pytest.raises(TableError, match=r"none.csv: no such file. Named tables: nasbench-graph/arxiv"):
        open_table(tmp_path / "none.csv", SPACE)
    with pytest.raises(ConfigError, match="belongs to the space nasbench-graph, got nasbench201"):
        open_table("nasbench-graph/cora", SPACE)
