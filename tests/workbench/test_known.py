"""What a person knows before a search, and whether anything can be scored at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gennas.errors import ConfigError, EvaluationError, TableError
from gennas.eval.base import Fidelity
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator
from gennas.workbench.config import SearchConfig
from gennas.workbench.known import read_known, try_one
from gennas.workbench.problem import Problem, make_problem

TEXTS = [NASBench201().to_text(arch) for arch in NASBench201().sample(60, np.random.default_rng(0)).unique()]


def problem(tmp_path: Path, **settings: Any) -> tuple[SearchConfig, Problem]:
    """A table whose accuracies go from .5 to .9."""
    table = tmp_path / "t.csv"
    pd.DataFrame({"arch": TEXTS, "val_accuracy": np.linspace(0.5, 0.9, len(TEXTS))}).to_csv(table, index=False)
    config = SearchConfig("nasbench201", table=str(table), strategy="random", out=tmp_path / "run", **settings)
    return config, make_problem(config)


def write(path: Path, **columns: list[Any]) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_nothing_is_known_unless_it_is_said(tmp_path: Path) -> None:
    known = read_known(*problem(tmp_path))
    assert known.enqueued == () and known.measured == ()


def test_architectures_and_values_are_read_in_order(tmp_path: Path) -> None:
    first = write(tmp_path / "first.csv", arch=TEXTS[:3])
    measured = write(tmp_path / "m.csv", arch=[TEXTS[4], TEXTS[3], TEXTS[4]], val_accuracy=[0.6, 0.55, 0.6])
    known = read_known(*problem(tmp_path, enqueue=first, ingest=measured))
    space = NASBench201()
    assert [space.to_text(arch) for arch in known.enqueued] == TEXTS[:3]
    assert [(space.to_text(arch), dict(values)) for arch, values in known.measured] == [
        (TEXTS[4], {"val_accuracy": 0.6}),
        (TEXTS[3], {"val_accuracy": 0.55}),
    ]


@pytest.mark.parametrize(
    ("archs", "values", "reason"),
    [
        ([0, 1], [0.6, 60.0], r"between 0\.1 and 1\.3, got 60 in row 2. Is it in another unit"),
        ([0, 1], [0.05, 0.6], "got 0.05 in row 1"),
        ([0, 1, 0], [0.6, 0.6, 0.7], "rows 1 and 3 are the same architecture with other values"),
    ],
)
def test_values_that_cannot_be(archs: list[int], values: list[float], reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", arch=[TEXTS[i] for i in archs], val_accuracy=values)
    with pytest.raises(ConfigError, match=reason):
        read_known(*problem(tmp_path, ingest=path))


def test_a_file_without_the_objective_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="val_accuracy"):
        read_known(*problem(tmp_path, ingest=write(tmp_path / "m.csv", arch=TEXTS[:2], accuracy=[1, 2])))


class Picky(SyntheticEvaluator):
    """Can score some architectures: those that ``fine`` says."""

    def __init__(self, fine: int) -> None:
        super().__init__(NASBench201().schema)
        self.fine, self.tried = fine, 0

    def check(self, arch: Any, fidelity: Fidelity) -> None:
        self.tried += 1
        if self.tried < self.fine:
            raise EvaluationError(f"no value, try {self.tried}")


@pytest.mark.parametrize("fine", [1, 2, 4])
def test_one_that_can_be_scored_is_enough(fine: int, tmp_path: Path) -> None:
    config, found = problem(tmp_path)
    evaluator = Picky(fine)
    try_one(replace(found, evaluator=evaluator), config)
    assert evaluator.tried == fine


def test_what_can_score_nothing_is_refused_after_four(tmp_path: Path) -> None:
    config, found = problem(tmp_path)
    evaluator = Picky(99)
    with pytest.raises(ConfigError, match=r"gave no value, try 4\. No evaluation was spent") as caught:
        try_one(replace(found, evaluator=evaluator), config)
    assert evaluator.tried == 4 and isinstance(caught.value.__cause__, EvaluationError)


def test_an_evaluator_without_a_check_is_believed(tmp_path: Path) -> None:
    config, found = problem(tmp_path)
    try_one(found, config)


def test_the_smallest_network_is_tried_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"max_depth": 3, "widths": [4, 64]}
    config = SearchConfig(
        "macro-chain", options, proxy="snip", objective=("snip:max",), strategy="random", out=tmp_path / "run"
    )
    found = make_problem(config)
    tried: list[Any] = []
    monkeypatch.setattr(type(found.evaluator), "check", lambda self, arch, fidelity: tried.append(arch))
    try_one(found, config)
    archs = found.space.sample(16, np.random.default_rng(config.seed))
    sizes = [sum(p.numel() for p in found.evaluator.build(arch).parameters()) for arch in archs]  # type: ignore[attr-defined]
    assert len(tried) == 1 and tried[0] == archs[int(np.argmin(sizes))] and min(sizes) < max(sizes)
