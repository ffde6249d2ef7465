"""Saved predictors hold labels, no code: loading fits again, and damage is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import CheckpointError
from gennas.eval.hardware import (
    ForestPredictor,
    LookupPredictor,
    RankPredictor,
    TransferPredictor,
    load_predictor,
    save_predictor,
)
from gennas.models.surrogate import ForestSurrogate
from gennas.spaces import NASBench101, NASBench201

SPACE = NASBench201()


def trees(seed: int = 0) -> RankPredictor:
    return RankPredictor(ForestSurrogate(num_trees=5, seed=seed), "trees", {"seed": seed})


@pytest.mark.parametrize(
    "make",
    [
        lambda _: LookupPredictor(),
        lambda _: ForestPredictor(graf=False, num_trees=5, seed=3),
        lambda _: trees(2),
        lambda source: TransferPredictor([source(1), source(2)], ["ridge"]),
    ],
    ids=["lookup", "forest", "trees", "transfer"],
)
def test_a_loaded_predictor_says_the_same(make, tmp_path: Path, archs, additive, source) -> None:
    predictor = make(source)
    predictor.fit(archs[:60], additive(archs)[:60])
    save_predictor(predictor, tmp_path / "p.npz")
    loaded = load_predictor(tmp_path / "p.npz", SPACE.schema, {"trees": trees})
    for mine, theirs in zip(predictor.predict(archs), loaded.predict(archs), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.fixture
def file(tmp_path: Path, archs, additive) -> Path:
    """A saved table of 60 labels."""
    predictor = LookupPredictor()
    predictor.fit(archs[:60], additive(archs)[:60])
    save_predictor(predictor, tmp_path / "p.npz")
    return tmp_path / "p.npz"


def change(file: Path, changes: Mapping[str, object]) -> None:
    with np.load(file) as arrays:
        content = dict(arrays)
    header = json.loads(str(content["header"]))
    header |= {k: v for k, v in changes.items() if k in header}
    content |= {"header": np.array(json.dumps(header))} | {k: v for k, v in changes.items() if k in content}
    np.savez(file, **content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "os.system"}, "Unknown kind of predictor 'os.system'"),
        ({"settings": {"per": "edge"}}, "got 'edge'"),
        ({"settings": {"command": "ls"}}, "TypeError"),
        ({"decisions0": np.zeros((60, 3), dtype=int)}, r"Expected decisions \(b, 6\)"),
        ({"decisions0": np.full((60, 6), 7)}, "do not allow"),
        ({"values0": np.full(60, np.nan)}, "finite positive"),
        ({"values0": np.array([{}], dtype=object)}, "allow_pickle"),
    ],
)
def test_damaged_files_are_refused(changes, message: str, file: Path) -> None:
    change(file, changes)
    with pytest.raises(CheckpointError, match=message):
        load_predictor(file, SPACE.schema)


def test_files_that_are_none(tmp_path: Path, file: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no archive")
    for path in (tmp_path / "x.npz", tmp_path / "missing.npz"):
        with pytest.raises(CheckpointError, match="Expected a saved predictor"):
            load_predictor(path, SPACE.schema)
    with pytest.raises(CheckpointError, match="use the space it was fitted for"):
        load_predictor(file, NASBench101().schema)
    with pytest.raises(CheckpointError, match="call fit before"):
        save_predictor(LookupPredictor(), tmp_path / "y.npz")
    with pytest.raises(CheckpointError, match=r"ends in \.npz"):
        save_predictor(LookupPredictor(), tmp_path / "y.pkl")
