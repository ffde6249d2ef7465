"""Archives, generators and settings of gennas 0.1.0 open and continue (``tests/fixtures/v0_1``)."""

from __future__ import annotations

import json
import lzma
import tarfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gennas import CompareConfig, SearchConfig, run_search
from gennas.cli.main import main
from gennas.workbench.compare import compare
from gennas.workbench.config import load_yaml
from gennas.workbench.run import read_run

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v0_1"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())


def restored(name: str, folder: Path) -> Path:
    """The run directory as version 0.1.0 left it."""
    run = folder / name
    run.mkdir()
    (run / "config.yaml").write_text((FIXTURES / name / "config.yaml").read_text())
    (run / "archive.sqlite").write_bytes(lzma.decompress((FIXTURES / name / "archive.sqlite.xz").read_bytes()))
    return run


def settings(run: Path) -> SearchConfig:
    values = load_yaml(run / "config.yaml")
    values.pop("version")
    return replace(SearchConfig.from_dict(values), out=run)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_interrupted_run_continues(name: str, tmp_path: Path) -> None:
    run = restored(name, tmp_path)
    config = settings(run)
    before, archive = read_run(run)
    archive.close()
    assert 0 < len(before.result.trials) <= config.budget
    found = [t.arch.key for t in run_search(config, report=False).result.trials]
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", ["random", "digits"])
def test_an_interrupted_run_is_reported(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = restored(name, tmp_path)
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").stat().st_size > 10_000 and "val_accuracy" in capsys.readouterr().out


def test_settings_of_a_run_serve_as_yaml_file(tmp_path: Path) -> None:
    run = restored("nsga2", tmp_path)
    text = (run / "config.yaml").read_text().replace("version: 0.1.0\n", "")
    (tmp_path / "mine.yaml").write_text(text)
    assert main(["search", "--config", str(tmp_path / "mine.yaml"), "--out", str(run)]) == 0


def unpacked(name: str, folder: Path) -> Path:
    with tarfile.open(FIXTURES / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_a_finished_comparison_is_read_back(tmp_path: Path) -> None:
    folder = unpacked("compare", tmp_path)
    before = pd.read_csv(folder / "summary.csv")
    values = load_yaml(folder / "compare.yaml")
    values.pop("version", None)
    compare(replace(CompareConfig.from_dict(values), out=folder))
    after = pd.read_csv(folder / "summary.csv")
    pd.testing.assert_frame_equal(before.iloc[:, :-1], after.iloc[:, :-1])  # the last column is seconds


def test_a_generator_opens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = unpacked("generator", tmp_path)
    assert main(["sample", "--generator", str(folder), "--n", "3", "--condition", "val_accuracy>=0.9q"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
