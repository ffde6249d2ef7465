"""The verbs on real input: a finished run, a generator trained on it, samples under a condition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gennas.cli.main import main
from gennas.spaces import NASBench201, NASBenchGraph

SMALL = ["--unlabelled", "100", "--pretrain-steps", "10", "--steps", "20", "--generator-option", "dim=32"]


def run(*args: object) -> int:
    return main([str(a) for a in args])


def error_of(capsys, *args: object) -> str:
    assert run(*args) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("gennas: "), lines
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``run``, a finished search on Cora, and ``g``, a generator trained on it."""
    folder = tmp_path_factory.mktemp("cli")
    search = ["--space", "nasbench-graph", "--task", "cora", "--strategy", "local-search", "--budget", 40]
    assert run("search", *search, "--out", folder / "run") == 0
    conditions = ["--conditions", "val_accuracy,latency_s"]
    assert run("train-generator", "--archive", folder / "run", *conditions, *SMALL, "--out", folder / "g") == 0
    return folder


def test_from_a_run_to_samples_under_a_condition(folder: Path, capsys) -> None:
    command = ["sample", "--generator", folder / "g", "--n", 6, "--condition", "val_accuracy>=0.9q, latency_s<=0.003"]
    assert run(*command) == 0
    shown = capsys.readouterr()
    assert len([NASBenchGraph().from_text(text) for text in shown.out.splitlines()]) == 6
    assert "valid 100.0%" in shown.err and "unique" in shown.err and "novel" in shown.err
    assert "val_accuracy in its best 10%" in shown.err and "latency_s<=" in shown.err
    assert run(*command) == 0
    assert capsys.readouterr().out == shown.out
    assert run(*command, "--seed", 1) == 0
    assert capsys.readouterr().out != shown.out


def test_files(folder: Path, tmp_path: Path, capsys) -> None:
    command = ["sample", "--generator", folder / "g", "--n", 12, "--unique", "--condition", "latency_s<=0.5q"]
    assert run(*command, "--out", tmp_path / "new" / "s.jsonl") == 0
    records = [json.loads(line) for line in (tmp_path / "new" / "s.jsonl").read_text().splitlines()]
    assert len({r["key"] for r in records}) == len(records) == 12
    assert all(NASBenchGraph().from_text(r["arch"]).key == r["key"] for r in records)
    assert all(r["asked"].keys() == {"latency_s"} and r["asked"]["latency_s"] >= 0.5 for r in records)
    assert run(*command, "--out", tmp_path / "s.txt") == 0
    assert (tmp_path / "s.txt").read_text().splitlines() == [r["arch"] for r in records]
    assert capsys.readouterr().out == ""
    assert ".jsonl" in error_of(capsys, *command, "--out", tmp_path / "s.csv")


def test_samples_of_a_space_can_be_written_too(tmp_path: Path, capsys) -> None:
    assert run("sample", "--n", 3, "--unique", "--out", tmp_path / "s.jsonl") == 0
    records = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert len([NASBench201().from_text(r["arch"]) for r in records]) == 3
    assert "--generator" in error_of(capsys, "sample", "--condition", "val_accuracy>=0.9q")


def test_unlabelled_training_goes_on_with_a_run(folder: Path, tmp_path: Path, capsys) -> None:
    small = ["--unlabelled", 100, "--pretrain-steps", 5, "--generator-option", "dim=32"]
    assert run("train-generator", "--space", "nasbench-graph", *small, "--out", tmp_path / "u") == 0
    shown = capsys.readouterr().out
    assert "100 unlabelled and 0 measured" in shown and "can be asked for" not in shown
    command = ["train-generator", "--init", tmp_path / "u", "--archive", folder / "run", "--steps", 5]
    assert run(*command, "--out", tmp_path / "v") == 0
    shown = capsys.readouterr().out.replace("\n", " ")
    assert "0 unlabelled and 40 measured" in shown and '--condition "val_accuracy>=0.9q"' in shown
    assert "not empty" in error_of(capsys, *command, "--out", tmp_path / "v")


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("val_acc>=0.9q", "Did you mean val_accuracy"),
        ("val_accuracy<=0.9q", "Wrong direction"),
        ("val_accuracy>0.9", "like 'accuracy>=0.9q'"),
        ("val_accuracy>=2q", "0q to 1q"),
    ],
)
def test_conditions_that_cannot_be_asked(condition: str, reason: str, folder: Path, capsys) -> None:
    assert reason in error_of(capsys, "sample", "--generator", folder / "g", "--condition", condition)


def test_a_folder_without_a_generator(folder: Path, tmp_path: Path, capsys) -> None:
    assert "none there" in error_of(capsys, "sample", "--generator", tmp_path)
    assert "none there" in error_of(capsys, "sample", "--generator", folder / "run")


@pytest.mark.parametrize("verb", ["train-generator", "sample"])
def test_help_teaches_with_examples(verb: str, capsys) -> None:
    with pytest.raises(SystemExit):
        run(verb, "--help")
    assert capsys.readouterr().out.count("gennas sample --generator gen/ab") >= 1
