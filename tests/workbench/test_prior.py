"""Weights on decisions from a file, and searches that follow them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ArchiveError, ConfigError, UnknownNameError
from gennas.spaces import NASBench201
from gennas.workbench.prior import read_prior
from gennas.workbench.run import Run

SPACE = NASBench201()


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_yaml_and_json_say_the_same(tmp_path: Path, suffix: str) -> None:
    file = written(tmp_path / f"prior{suffix}", json.dumps({"edge 1-3": {"skip_connect": 4, "none": 0.5}}))
    weights = read_prior(file, SPACE)
    assert weights[4].tolist() == [0.5, 4.0, 1.0, 1.0, 1.0]
    assert np.delete(weights, 4, 0).tolist() == np.ones((5, 5)).tolist()


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("edge 1-4: {none: 2}", UnknownNameError, "decision.*'edge 1-4'.*Did you mean edge 1-3"),
        ("edge 0-1: {skip: 2}", UnknownNameError, "label of edge 0-1.*'skip'.*skip_connect"),
        ("edge 0-1: {none: 0}", ConfigError, "positive number as weight of edge 0-1, none, got 0"),
        ("edge 0-1: {none: true}", ConfigError, "got True"),
        ("edge 0-1: {none: .inf}", ConfigError, "got inf"),
        ("edge 0-1: none", ConfigError, "weights of labels for edge 0-1, got 'none'"),
        ("[1, 2]", ConfigError, "mapping from decisions"),
        ("", ConfigError, "mapping from decisions"),
        ("{", ConfigError, "Cannot read the prior"),
    ],
)
def test_what_is_no_prior_is_refused_in_one_line(
    tmp_path: Path, text: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason) as found:
        read_prior(written(tmp_path / "prior.yaml", text), SPACE)
    assert "\n" not in str(found.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_prior(tmp_path / "none.yaml", SPACE)


def test_random_architectures_follow_it_and_a_changed_one_is_another_search(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    prior = written(tmp_path / "prior.yaml", "depth: {}\nlayer1.op: {conv: 1000}\n")
    run = make_run(budget=2)
    names = [column for column in run.trials(decisions=True).columns if "layer1" in column]
    labels = {name: run.trials(decisions=True)[name].iloc[0] for name in names}
    name, label = next(iter(labels.items()))
    prior.write_text(json.dumps({name: {label: 300}}))  # 14 of the 42 chains have it, and 32 are asked for at once
    found = make_run(prior=prior, out=tmp_path / "other")
    assert (found.trials(decisions=True)[name] == label).mean() > 0.9
    assert make_run(prior=prior, out=tmp_path / "other", budget=9).result.n_evals == 9
    prior.write_text(json.dumps({name: {label: 2}}))
    with pytest.raises(ArchiveError, match="--prior holds other values"):
        make_run(prior=prior, out=tmp_path / "other", budget=10)
