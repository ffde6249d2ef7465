"""Own spaces, tasks, evaluators and strategies work in every path: by file, by module, and as objects."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch
import yaml

from gennas.cli.main import main
from gennas.errors import ConfigError
from gennas.eval.base import Fidelity, Metric
from gennas.graph import Architecture
from gennas.search.strategies import RandomSearch
from gennas.spaces import NASBench201, Space
from gennas.training import Task
from gennas.workbench.run import read_run, search
from gennas.workbench.transfer import transfer

MINE = '''
import torch

from gennas.search import STRATEGIES, Strategy
from gennas.search.strategies import RandomSearch
from gennas.spaces import NASBench201
from gennas.training import Task


class Tiny(NASBench201):
    """One cell per stage."""

    name = "tiny"

    def __init__(self, width: int = 4) -> None:
        super().__init__(num_cells=1, width=width)


def task(classes: int = 2) -> Task:
    x, y = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(40) % classes
    part = (x, y)
    return Task.from_tensors("blobs", train=part, test=part, validation=part, num_outputs=classes)


def score(arch, space, bonus: float = 0.0):
    return {"accuracy": space.to_text(arch).count("3x3") + bonus, "size": float(arch.decisions.sum())}


class Judge:
    """Counts convolutions."""

    metrics = {"accuracy": "max"}

    def __init__(self, space, weight: float = 1.0) -> None:
        self.space, self.weight = space, weight

    def evaluate(self, arch, fidelity, seed):
        return {"accuracy": self.weight * self.space.to_text(arch).count("3x3")}


class Mine(RandomSearch):
    """Proposes at random, in pairs."""

    @property
    def batch_size(self) -> int:
        return 2
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    yield tmp_path
    for name in ("mine", "_gennas_user_mine"):
        sys.modules.pop(name, None)


def test_an_own_evaluator_through_every_verb(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "search", "--space", "mine.py:Tiny", "--space-option", "width=8", "--strategy", "mine.py:Mine", "--budget", "8",
        "--evaluator", "mine.py:score", "--evaluator-option", "bonus=1e-1", "--objective", "accuracy:max",
        "--constraint", "size<=20", "--out", "run",
    ]  # fmt: skip
    assert main(words) == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert config["evaluator"] == "mine.py:score" and config["evaluator_option"] == {"bonus": 0.1}
    best = json.loads(Path("run/summary.json").read_text())["best"]
    assert best["metrics"]["accuracy"] == best["text"].count("3x3") + 0.1 and best["metrics"]["size"] <= 20

    assert main(["report", "run", "--export", "trials.csv"]) == 0  # report
    assert len(pd.read_csv("trials.csv")) == 8
    assert main(words) == 0  # the finished run is read back
    assert main([*words[:-2], "--out", "other", "--budget", "8"]) == 0
    assert [t.arch.key for t in trials("run")] == [t.arch.key for t in trials("other")]
    short = ["--epochs", "1", "--task", "mine.py:task"]
    capsys.readouterr()
    assert main(["train", "--from", "run", *short, "--save", "net.safetensors", "--task-option", "classes=3"]) == 0
    assert "tiny · task blobs · epochs=1 (from run)" in " ".join(capsys.readouterr().out.split())
    to = ["--to", "source", "--weights", "net.safetensors", "--out", "net.py", "--task-option", "classes=3"]
    assert main(["export", "--from", "run", "--task", "mine.py:task", *to]) == 0
    assert "class " in Path("net.py").read_text()
    assert main(["transfer", "run", "--tasks", "mine.py:task", "--top", "1", "--seeds", "1", "--epochs", "1"]) == 0
    assert pd.read_csv("run/transfer.csv")["value"].notna().all()
    small = ["--unlabelled", "20", "--pretrain-steps", "1", "--steps", "1", "--kind", "autoregressive"]
    assert main(["train-generator", "--archive", "run", "--conditions", "accuracy", *small, "--out", "gen"]) == 0


def trials(run: str) -> list:
    found, archive = read_run(run)
    archive.close()
    return found.result.trials


@pytest.mark.parametrize("prefix", ["mine.py", "mine"])
def test_classes_by_file_and_by_module_of_the_current_directory(prefix: str, mine: Path) -> None:
    words = ["--space", f"{prefix}:Tiny", "--evaluator", f"{prefix}:Judge", "--evaluator-option", "weight=2"]
    assert main(["search", *words, "--strategy", "random", "--budget", "3", "--out", "run"]) == 0
    best = json.loads(Path("run/summary.json").read_text())["best"]
    assert best["metrics"] == {"accuracy": 2.0 * best["text"].count("3x3")}


@pytest.mark.parametrize(
    "evaluator", [["--evaluator", "mine.py:score", "--objective", "accuracy"], ["--task", "mine.py:task"]]
)
def test_parts_from_files_in_worker_processes(evaluator: list[str], mine: Path) -> None:
    words = ["search", "--space", "mine.py:Tiny", *evaluator, "--strategy", "random", "--budget", "3"]
    quick = ["--epochs", "1"] if "--task" in evaluator else []
    for executor in ("serial", "process"):
        assert main([*words, *quick, "--executor", executor, "--workers", "1", "--out", executor]) == 0
    one, other = trials("serial"), trials("process")
    assert all(t.ok for t in other) and [t.arch for t in one] == [t.arch for t in other]
    names = [n for n in one[0].metrics if not n.startswith(("latency", "train_", "throughput"))]
    assert [[t.metrics[n] for n in names] for t in one] == [[t.metrics[n] for n in names] for t in other]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--evaluator", "mine.py:score", "--evaluator-option", "bonsu=1"], "Did you mean bonus?"),
        (["--evaluator", "mine.py:Judge", "--evaluator-option", "weight=heavy"], "valid number"),
        (["--evaluator", "mine.py:Nobody"], "Nobody"),
        (["--evaluator", "mine.py:Tiny"], "evaluate(arch, fidelity, seed) and metrics"),
        (["--evaluator", "tabel"], "Unknown evaluator"),
        (["--evaluator-option", "a=1", "--task", "digits"], "--evaluator file.py:Name"),
        (["--evaluator", "mine.py:score", "--table", "x.csv"], "got both"),
        (["--evaluator", "mine.py:score"], None),  # a function without declared metrics has `score` only
    ],
)
def test_wrong_evaluators(
    words: list[str], complaint: str | None, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["search", *words, "--strategy", "random", "--budget", "2", "--out", "run"])
    error = capsys.readouterr().err
    if complaint is None:
        assert code == 1 and "Expected the function to return score" in trials("run")[0].error
        return
    assert code == 2 and complaint in error and not Path("run").exists()


def test_a_type_error_of_the_users_code_keeps_its_traceback(mine: Path) -> None:
    Path("mine.py").write_text(MINE + "\n\nclass Broken(Tiny):\n    def __init__(self):\n        len(5)\n")
    with pytest.raises(TypeError, match="has no len") as caught:
        main(["search", "--space", "mine.py:Broken", "--task", "digits", "--out", "run"])
    assert caught.traceback[-1].path.name == "mine.py"


# ---------------------------------------------------------------------- objects


class Small(NASBench201):
    """A space of this module."""

    name = "small"


def blobs() -> Task:
    x, y = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    return Task.from_tensors("blobs", train=(x, y), test=(x, y), validation=(x, y))


def test_objects_wherever_a_name_is(tmp_path: Path) -> None:
    run = search(
        space=NASBench201(num_cells=1, width=4),
        task=blobs(),
        strategy=RandomSearch,
        train_option={"epochs": 1},
        budget=2,
        out=tmp_path / "run",
        report=False,
    )
    assert len(run.result.trials) == 2 and all(t.ok for t in run.result.trials)
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["space"] == "nasbench201" and config["space_option"] == {"num_cells": 1, "width": 4}
    assert config["task"] == "object:blobs" and config["strategy"] == "random"
    # its records can be read, its networks cannot be trained by name
    assert main(["report", str(tmp_path / "run")]) == 0
    again, archive = read_run(tmp_path / "run")
    archive.close()
    assert again.problem.evaluator.metrics["val_accuracy"].direction == "max"
    assert [t.metrics for t in again.result.trials] == [t.metrics for t in run.result.trials]
    with pytest.raises(ConfigError, match="given as an object"):
        search(task="object:blobs", out=tmp_path / "other")
    table = transfer(tmp_path / "run", [blobs(), "digits"], top=1, seeds=1, fidelity=Fidelity(1, 0.1))
    assert set(table.rows["task"]) == {"blobs", "digits"} and table.rows["value"].notna().all()
    quick = ["--task", "digits", "--epochs", "1", "--data-fraction", ".1"]
    assert main(["train", "--from", str(tmp_path / "run"), *quick]) == 0


def count(arch: Architecture) -> float:
    """A function of this module."""
    return float(arch.decisions.sum())


class Fixed:
    """An evaluator that says all that one says."""

    metrics: ClassVar = {"accuracy": Metric("accuracy", "max", "%")}
    cost_class = "expensive"
    protocol = "fixed"

    def evaluate(self, arch: Architecture, fidelity: object, seed: int) -> dict[str, float]:
        return {"accuracy": 1.0}


@pytest.mark.parametrize("evaluator", [count, lambda arch: 1.0, Fixed(), Fixed])
@pytest.mark.parametrize("space", [Small, Small(), "nasbench201"])
def test_a_run_with_objects_goes_on_with_the_same_objects(space: object, evaluator: object, tmp_path: Path) -> None:
    settings = dict(space=space, evaluator=evaluator, strategy="local-search", out=tmp_path, report=False)
    first = search(**settings, budget=5)
    assert [t.arch for t in search(**settings, budget=5).result.trials] == [t.arch for t in first.result.trials]
    again, archive = read_run(tmp_path)
    archive.close()
    assert [dict(t.metrics) for t in again.result.trials] == [dict(t.metrics) for t in first.result.trials]


def test_another_object_is_another_run(tmp_path: Path) -> None:
    settings = dict(strategy="random", budget=3, out=tmp_path, report=False)
    search(space=NASBench201(), evaluator=count, **settings)
    with pytest.raises(ConfigError, match="another configuration"):
        search(space=NASBench201(num_cells=1), evaluator=count, **settings)
    with pytest.raises(ConfigError, match="another configuration"):
        search(space=NASBench201(), evaluator=Fixed(), **settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"space": NASBench201(), "space_option": {"num_cells": 1}}, "made already"),
        ({"space": Space}, "abstract"),
        ({"space": count}, None),
        ({"task": blobs(), "task_option": {"a": 1}}, "made already"),
        ({"evaluator": Fixed(), "evaluator_option": {"a": 1}}, "made already"),
        ({"evaluator": object()}, "function of an architecture"),
        ({"strategy": object()}, "as strategy"),
        ({"strategies": "random"}, "Did you mean strategy"),
    ],
)
def test_objects_that_will_not_do(settings: dict, complaint: str | None, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, KeyError, TypeError), match=complaint):
        search(**{"evaluator": count, "budget": 1, "out": tmp_path / "run", **settings})


def test_the_guides_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    monkeypatch.chdir(tmp_path)
    Path("judge.py").write_text("# judge.py" + guide.split("# judge.py")[1].split("```")[0])
    command = guide.split("--evaluator judge.py:judge")[1].split("gennas train")[0]
    words = shlex.split("--space nasbench201 --evaluator judge.py:judge" + command.replace("\\\n", " "))
    assert main(["search", *words, "--strategy", "local-search"]) == 0
    best = json.loads(Path("runs/judged/summary.json").read_text())["best"]["metrics"]
    assert best["size"] <= 100 and best["accuracy"] > 3
