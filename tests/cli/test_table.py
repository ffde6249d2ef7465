"""``gennas convert-table`` and ``gennas table show``: from an official file to what a person sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gennas.cli.main import VERBS
from gennas.cli.parse import parse
from gennas.eval.tables.formats import FORMATS
from gennas.spaces import SPACES, NASBench201, NASBenchGraph

SKIPS = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Fifty cells of NAS-Bench-Suite-Zero."""

    def entry(i: int) -> dict[str, Any]:
        return {"val_accuracy": 50.0 + i, "synflow": {"score": float(i), "time": 1}, "epe_nas": {"score": float("nan")}}

    keys = [str((0, a, b, 0, 0, c)) for a in range(5) for b in range(5) for c in range(2)]
    path = tmp_path / "zc_nasbench201.json"
    path.write_text(json.dumps({d: {k: entry(i) for i, k in enumerate(keys)} for d in ("cifar10", "cifar100")}))
    return path


def test_an_official_file_becomes_a_table_to_look_up(
    official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Callable[..., int]
) -> None:
    table = tmp_path / "zc.csv.gz"
    assert run("convert-table", official, table, "--dataset", "cifar10") == 0
    shown = capsys.readouterr().out
    assert "50 architectures, 3 columns (suite-zero)" in shown and "Columns: hash, val_accuracy, synflow" in shown
    assert "Left out: column epe_nas (50 of 50 values were not measured); seconds that each proxy took" in shown
    assert f"gennas search --space nasbench201 --table {table}" in shown
    assert run("table", "show", table, "--best", 2, "--metric", "synflow", "--metric", "val_accuracy") == 0
    shown = capsys.readouterr().out
    assert shown.count("│ 1 │") == 2 and "val_accuracy (max)" in shown and "99" in shown
    assert run("table", "show", table, SKIPS) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == SKIPS and "(0, 0, 0, 0, 0, 0)" in shown and "50" in shown
    assert run("table", "show", table, "--hash", "(0, 0, 0, 0, 0, 1)") == 0
    assert "none~2" in capsys.readouterr().out


def test_what_gennas_cannot_search_it_still_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Callable[..., int], error_of: Callable[..., str]
) -> None:
    entry = {"test_acc": [93.0], "mean_acc": 93.0, "std": 0, "params": 7, "flops": 9}
    (tmp_path / "macro.json").write_text(json.dumps({"22212220": entry, "00000000": {**entry, "mean_acc": 88.0}}))
    assert run("convert-table", tmp_path / "macro.json", tmp_path / "m.parquet", "--no-seeds") == 0
    shown = capsys.readouterr().out
    assert "2 architectures, 4 columns (macro)" in shown
    assert ("no space nasbench-macro yet" in shown) == ("nasbench-macro" not in SPACES)
    assert run("table", "show", tmp_path / "m.parquet", "22212220") == 0
    assert "params             7" in capsys.readouterr().out
    assert run("table", "show", tmp_path / "m.parquet", "--best", 1) == 0
    assert "22212220" in capsys.readouterr().out
    assert "no column hash or module_hash" in error_of("table", "show", tmp_path / "m.parquet", "--hash", "a")


def test_named_tables_have_texts_too(capsys: pytest.CaptureFixture[str], run: Callable[..., int]) -> None:
    assert run("table", "show", "nasbench-graph/cora", "--space", "nasbench-graph", "--best", 1) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("│ 1 │"))
    best = line.split("│")[3].strip()
    assert run("table", "show", "nasbench-graph/cora", best, "--space", "nasbench-graph") == 0
    assert f"{float(line.split('│')[2]):.5g}" in capsys.readouterr().out
    assert NASBenchGraph().from_text(best)


def test_an_architecture_is_found_in_whichever_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Callable[..., int]
) -> None:
    texts = ["conv1x1-bn-relu~0|maxpool3x3~0|output~1,2", "maxpool3x3~0|output~1"]
    pd.DataFrame({"cell": texts, "loss": [0.5, 0.25]}).to_csv(tmp_path / "t.csv", index=False)
    table = ["table", "show", tmp_path / "t.csv", "--space", "nasbench101"]
    assert run(*table, "--arch", "maxpool3x3~0|conv1x1-bn-relu~0|output~1,2") == 0
    assert capsys.readouterr().out.split() == [texts[0], "loss", "0.5"]
    assert run(*table, "--best", 1) == 0
    assert "loss (min)" in (shown := capsys.readouterr().out) and texts[1] in shown


def test_complaints(official: Path, tmp_path: Path, error_of: Callable[..., str]) -> None:
    table = tmp_path / "t.csv"
    assert "Expected two files" in error_of("convert-table", official)
    assert "Did you mean suite-zero" in error_of("convert-table", official, table, "--format", "suite-zeros")
    assert "raise --max-gb" in error_of("convert-table", official, table, "--max-gb", 1e-6)
    assert "no such file" in error_of("convert-table", tmp_path / "x", table)
    assert "holds cifar10, cifar100" in error_of("convert-table", official, table, "--dataset", "cifar")
    table.write_text(f"arch,acc\n{SKIPS},0.5\n")
    assert "Expected a table" in error_of("table", "show")
    assert "Expected one of" in error_of("table", "show", table)
    assert "Expected one of" in error_of("table", "show", table, SKIPS, "--best", 1)
    assert "Did you mean acc" in error_of("table", "show", table, "--best", 1, "--metric", "accu")
    none = NASBench201().to_text(NASBench201().architecture([0] * 6))
    assert "(1 rows) has no row for" in error_of("table", "show", table, none)
    assert "expected '|op~0|" in error_of("table", "show", table, "nonsense")
    table.write_text("a,b\nx,1\n")
    assert "no column of architectures" in error_of("table", "show", table, "--best", 1)


@pytest.mark.parametrize("verb", ["convert-table", "table"])
def test_help_fits_a_narrow_terminal(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parse(verb, VERBS[verb], ["--help"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 84
    assert verb == "table" or all(f"  {name} " in shown for name in FORMATS)
