"""A disk that is full while something is written: one line, what was there stays, and no half of anything is left."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from gennas.errors import GennasError, OutputError
from gennas.eval.hardware.predictor_file import save_predictor
from gennas.eval.hardware.predictors import LookupPredictor
from gennas.generators.trained import TrainedGenerator, generator_class
from gennas.graph.draw import draw_png
from gennas.runtime.files import draft_folder, write_atomically
from gennas.search import Archive
from gennas.spaces import NASBench201
from gennas.testing.archives import example_trials
from gennas.training.checkpoint import save_module
from gennas.training.state import TrainingState, save_state

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the sizes of files")
SPACE = NASBench201()


@contextmanager
def full_disk(left: int = 200) -> Iterator[None]:
    """Files end after so many bytes, as on a disk that is full then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _archive(suffix: str) -> Callable[[Path], None]:
    archive = Archive(":memory:", SPACE)
    with archive.together():
        archive.add_many(example_trials(SPACE, 40))
    return lambda path: archive.export(path.with_suffix(suffix))


def _predictor(path: Path) -> None:
    predictor, archs = LookupPredictor(), SPACE.sample(200, np.random.default_rng(0))
    predictor.fit(archs, 1.0 + (archs.decisions == 3).sum(1))
    save_predictor(predictor, path)


def _report(path: Path) -> None:
    from gennas.report import write_report
    from gennas.report.data import RunData
    from gennas.search.objectives import Objective, Objectives

    trials = example_trials(SPACE, 4)
    write_report(RunData({}, trials, Objectives((Objective("acc"),)), "acc", [], texts=SPACE.to_text), path)


def _figure(path: Path) -> None:
    import pandas as pd

    from gennas.report.search_curves import Panel, plot_panels

    rows = [{"strategy": "a", "seed": 0, "n_evals": i, "objective": i, "report": i, "seconds": i} for i in (1, 2, 3)]
    plot_panels(pd.DataFrame(rows), [Panel("objective", "best")], path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "a.txt": lambda path: write_atomically(path, "x" * 1000),
    "a.safetensors": lambda path: save_module(torch.nn.Linear(30, 30), path),
    "state.safetensors": lambda path: save_state(TrainingState({"network.a": torch.zeros(900)}, {}), path.parent),
    "a.csv": lambda path: _archive(".csv")(path),
    "a.jsonl": lambda path: _archive(".jsonl")(path),
    "a.parquet": lambda path: _archive(".parquet")(path),
    "a.npz": _predictor,
    "a.png": lambda path: draw_png(SPACE.sample(1, np.random.default_rng(0))[0], path) and None,
    "a.svg": _figure,
    "a.html": _report,
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_former_file_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("former")
    with full_disk(), pytest.raises(GennasError) as caught:
        WRITERS[name](path)
    assert path.read_text() == "former" and [p.name for p in tmp_path.iterdir()] == [name]
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 and "None" not in str(caught.value)
    WRITERS[name](path)  # there is room again
    assert path.stat().st_size > 200 and [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("kind", ["diffusion", "autoregressive", "latent"])
def test_no_half_of_a_generator_is_left(kind: str, tmp_path: Path) -> None:
    made = TrainedGenerator(generator_class(kind)(SPACE.schema, SPACE.legal, num_conditions=0), SPACE)
    with full_disk(2000), pytest.raises(OutputError, match="Cannot write"), draft_folder(tmp_path / "g") as place:
        made.save_pretrained(place)
    assert not list(tmp_path.iterdir())


def test_the_line_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with full_disk(), pytest.raises(OutputError) as caught:
        write_atomically(path, "x" * 1000)
    assert str(caught.value) == f"Cannot write {path}: File too large; free some space and run the same again."
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/a\.txt: (File exists|Not a directory); choose another place"):
        write_atomically(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(OutputError, match=r"File name too long; choose another"):
        write_atomically(tmp_path / ("x" * 300), "x")


def test_drafts_that_were_left_long_ago_are_swept_by_the_next_one(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".123-a.txt", ".124-a.txt", ".125-b.txt"))
    for place in (old, new, other):
        place.write_text("half")
    for place in (old, other):
        os.utime(place, (0, 0))
    write_atomically(tmp_path / "a.txt", "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".124-a.txt", ".125-b.txt", "a.txt"]
