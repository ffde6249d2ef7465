"""Training one architecture: values, weights, continuing, scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gennas.errors import ConfigError, GennasError
from gennas.training import Task, read_note
from gennas.workbench.train import TrainSettings, train

CHAIN = "conv3x3-w4-s1/separable3x3-w4-s2"
QUICK = {"space": "macro-chain", "space_option": {"widths": [4]}, "arch": CHAIN, "epochs": 1}


def values(**settings: Any) -> dict[str, float]:
    found = dict(train(TrainSettings(**{**QUICK, **settings})).values)
    return {name: found[name] for name in found if not name.startswith(("latency", "train_s", "throughput"))}


def test_every_value_is_a_known_metric(blobs: Task) -> None:
    trained = train(TrainSettings(**QUICK, task=blobs))
    assert set(trained.values) <= set(trained.metrics)
    assert 0 <= trained.values["val_accuracy"] <= 1 and 0 <= trained.values["test_accuracy"] <= 1
    assert trained.chosen.described == f"{CHAIN} · macro-chain · task blobs · epochs=1"
    # stem 1·9·4 + 8; conv 4·9·4 + 8; depthwise 9·4 + 8 and pointwise 16 + 8; norm 8; classifier 4·2 + 2
    assert trained.values["params"] == 44 + 152 + 44 + 24 + 8 + 10


def test_a_seed_gives_the_same_weights_and_another_others(blobs: Task, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        values(task=blobs, seed=seed, save=tmp_path / f"{name}.safetensors")
    a, b, c = (load_file(tmp_path / f"{name}.safetensors") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a) and list(a) == list(b) == list(c)
    assert not torch.equal(a["classifier.weight"], c["classifier.weight"])


def test_saved_weights_say_whose_they_are(blobs: Task, tmp_path: Path) -> None:
    path = tmp_path / "new" / "net.safetensors"
    train(TrainSettings(**QUICK, task=blobs, save=path))
    assert read_note(path)["arch"] == CHAIN


def test_learning_tells_bright_from_dark(blobs: Task) -> None:
    more = {"epochs": 30, "train_option": {"lr": 0.02, "batch_size": 10}}
    assert values(task=blobs, **more)["val_accuracy"] == 1.0


def test_continued_training_is_the_whole_training(blobs: Task, tmp_path: Path) -> None:
    recipe = {"train_option": {"schedule_epochs": 4}, "task": blobs}
    whole = values(**recipe, epochs=4, save=tmp_path / "whole.safetensors")
    values(**recipe, epochs=2, resume=tmp_path / "states")
    assert list((tmp_path / "states").rglob("*.*"))
    resumed = values(**recipe, epochs=4, resume=tmp_path / "states", save=tmp_path / "resumed.safetensors")
    assert resumed == whole
    a, b = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "resumed"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_wider_and_deeper_networks_have_more_parameters(blobs: Task) -> None:
    plain, wide, deep = (values(task=blobs, **c)["params"] for c in ({}, {"width": 2.0}, {"depth": 2.0}))
    # width 8: stem 72 + 16, conv 576 + 16, depthwise 72 + 16, pointwise 64 + 16, norm 16, classifier 18
    assert wide == 88 + 592 + 88 + 80 + 16 + 18
    assert deep == plain + 152 + 44 + 24  # each stage, which is one layer, twice


def test_less_data_and_smaller_images_are_other_trainings(blobs: Task, tmp_path: Path) -> None:
    weights = []
    for i, changes in enumerate(({}, {"data_fraction": 0.5}, {"resolution": 0.5})):
        path = tmp_path / f"{i}.safetensors"
        train(TrainSettings(**QUICK, task=blobs, save=path, train_option={"batch_size": 10}, **changes))
        weights.append(load_file(path)["classifier.weight"])
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_measures_are_among_the_values(blobs: Task) -> None:
    found = values(task=blobs, measure="ece,fgsm", measure_option={"epsilon": 0.0})
    assert 0 <= found["val_ece"] <= 1
    assert found["val_fgsm_accuracy"] == found["val_accuracy"]  # an attack of no size


@pytest.mark.parametrize(
    ("settings", "error", "complaint"),
    [
        ({"measure_option": {"bins": 3}}, ConfigError, "--measure-option needs --measure"),
        ({"measure": "ecee"}, GennasError, "Did you mean ece"),
        ({"train_option": {"lrr": 1}}, ConfigError, "Unknown option 'lrr' of the training recipe"),
        ({"arch": ""}, GennasError, "Expected a layer like 'conv3x3-w16-s1', got ''."),
        ({"task": "cora"}, GennasError, "cora"),
    ],
)
def test_bad_settings(settings: dict[str, Any], error: type[Exception], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        train(TrainSettings(**{**QUICK, **settings}, save=tmp_path / "net.safetensors"))
    assert complaint in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"width": 0.0}, {"depth": -1.0}, {"data_fraction": 1.5}])
def test_impossible_amounts(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"--{next(iter(changes)).replace('_', '-')}: expected"):
        TrainSettings(**{**QUICK, **changes})
