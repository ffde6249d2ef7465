"""Compressing as a whole: from a trained network to a directory that opens as any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import CheckpointError, ConfigError, GennasError, UnknownNameError
from gennas.runtime.seeds import seeded
from gennas.training import Task, load_module, read_note
from gennas.workbench.chosen import choose
from gennas.workbench.compress import Compressed, CompressSettings, compress
from gennas.workbench.export import ExportSettings, export
from gennas.workbench.train import TrainSettings, train

ARCH = "embed=16;depth=3;mlp=2,2,2;heads=2,2,2"
SPACE = {"embeds": [16], "depths": [1, 2, 3], "ratios": [1, 2], "heads": [1, 2], "head_dim": 4, "patch": 4}
VIT = {"space": "autoformer-tiny", "space_option": SPACE, "task": "digits"}
QUICK = {"steps": 3, "random": 2, "train_option": {"batch_size": 256, "epochs": 3}}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parent") / "net.safetensors"
    train(TrainSettings(**VIT, arch=ARCH, epochs=3, train_option={"batch_size": 256}, save=path))
    return path


@pytest.fixture(scope="module")
def small(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    out = tmp_path_factory.mktemp("out") / "small"
    return compress(CompressSettings(**VIT, **QUICK, arch=ARCH, weights=weights, constraint="params<=0.6x", out=out))


def smaller(**changes: Any) -> CompressSettings:
    return CompressSettings(**{**VIT, **QUICK, "arch": ARCH, "constraint": "params<=0.6x", **changes})


def test_what_is_left_behind(small: Compressed) -> None:
    summary = json.loads((small.directory / "summary.json").read_text())
    assert summary["best"]["metrics"]["params"] <= 0.6 * summary["networks"][0]["costs"]["params"]
    assert summary["best"]["text"] == small.comparison.chosen.text and summary["metric"] == "loss"
    assert summary["best"]["metrics"]["test_accuracy"] == small.comparison.chosen.test["accuracy"]
    assert [n["name"] for n in summary["networks"]] == ["parent", "chosen", "uniform", "random 1", "random 2"]
    assert summary["seconds"]["distillation"] > 0 and summary["seconds"]["scoring"] > 0
    assert summary["additivity"]["tau"] is None  # two networks have no rank correlation
    rows = json.loads((small.directory / "blocks.json").read_text())["blocks"]
    assert len(rows) == sum(map(len, small.library.layers)) and sum(row["chosen"] for row in rows) == 3
    trained = sum(row["seconds"] for row in rows)
    assert trained == pytest.approx(summary["seconds"]["distillation"], rel=0.05)
    assert all(row["steps"] == (0 if row["is_own"] or row["block"] == "out" else 3) for row in rows)
    assert rows[0]["latency_ms"] is None and rows[0]["error"] == 0 and rows[0]["val_loss"] > 0


def test_the_directory_opens_as_any_other(small: Compressed, tmp_path: Path) -> None:
    file = small.directory / "network.safetensors"
    chosen = choose(TrainSettings(source=small.directory))
    assert chosen.space.to_text(chosen.arch) == small.comparison.chosen.text == read_note(file)["arch"]
    with seeded(0):
        network = chosen.space.build(chosen.arch, chosen.task.spec)
    load_module(network, file)
    done = export(
        ExportSettings(source=small.directory, weights=file, to="safetensors", out=tmp_path / "a.safetensors")
    )
    assert done.difference == 0


def test_a_smaller_network_is_trained_on(small: Compressed) -> None:
    file = small.directory / "network.safetensors"
    short = {"source": small.directory, "epochs": 1, "train_option": {"lr": 1e-4}}
    inherited, fresh = train(TrainSettings(**short, weights=file)), train(TrainSettings(**short))
    assert inherited.values["train_loss"] < small.comparison.chosen.validation["loss"] + 0.2
    assert inherited.values["train_loss"] < fresh.values["train_loss"]


def test_a_smaller_network_is_made_smaller_again(small: Compressed, tmp_path: Path) -> None:
    again = compress(
        CompressSettings(source=small.directory, constraint=("flops<=0.8x",), steps=0, random=0, out=tmp_path / "b")
    )
    assert again.comparison.parent.text == small.comparison.chosen.text
    assert again.comparison.parent.test == pytest.approx(small.comparison.chosen.test)
    assert again.comparison.chosen.costs["flops"] <= 0.8 * small.comparison.chosen.costs["flops"]
    assert again.seconds["distillation"] == 0


def test_weights_beside_a_run_are_found(small: Compressed, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.yaml", "summary.json"):
        (run / name).write_bytes((small.directory / name).read_bytes())
    again = {"source": run, "constraint": ("flops<=0.8x",), "steps": 0, "random": 0, "out": tmp_path / "b"}
    with pytest.raises(ConfigError, match="no trained weights to begin with"):
        compress(CompressSettings(**again))
    train(TrainSettings(source=run, epochs=1, save=run / "network.safetensors"))
    assert compress(CompressSettings(**again)).parent.described.endswith(f"(from {run})")


def test_states_of_a_training_are_refused_and_lead_to_weights(tmp_path: Path) -> None:
    states, out = tmp_path / "states", tmp_path / "out"
    trained = {**VIT, "arch": ARCH, "epochs": 2, "train_option": {"batch_size": 256}, "resume": states}
    train(TrainSettings(**trained))
    (state,) = states.glob("**/state.safetensors")
    for changes in ({"source": states, "arch": ""}, {"weights": states}, {"weights": state}):
        with pytest.raises(ConfigError, match=r"holds states of trainings .*--save net\.safetensors.*--weights"):
            compress(smaller(**changes, out=out))
    assert not out.exists()
    began = state.stat().st_mtime_ns
    train(TrainSettings(**trained, save=tmp_path / "net.safetensors"))
    assert state.stat().st_mtime_ns == began  # nothing was trained twice
    assert compress(smaller(weights=tmp_path / "net.safetensors", out=out)).comparison.chosen.costs["params"] > 0


def test_fine_tuning_is_kept_and_charged(weights: Path, tmp_path: Path) -> None:
    done = compress(smaller(weights=weights, finetune=1, out=tmp_path / "tuned", random=1))
    chosen, summary = done.comparison.chosen, json.loads((tmp_path / "tuned" / "summary.json").read_text())
    assert summary["best"]["metrics"]["test_accuracy"] == chosen.tuned_test["accuracy"]
    assert done.seconds["finetuning"] == pytest.approx(sum(n.tuning_seconds for n in done.comparison.networks)) and (
        done.seconds["finetuning"] > 0
    )


def test_the_same_seed_gives_the_same_choice(small: Compressed, weights: Path, tmp_path: Path) -> None:
    again = compress(smaller(weights=weights, out=tmp_path / "again"))
    assert [n.record() | {"tuning_seconds": 0} for n in again.comparison.networks] == [
        n.record() | {"tuning_seconds": 0} for n in small.comparison.networks
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "no trained weights to begin with .*gennas train ARCH --save"),
        ({"constraint": ()}, "--constraint 'params<=0.6x'"),
        ({"constraint": "params<=1.5x"}, "at most 1x"),
        ({"constraint": "params<=1e9"}, "at most the parent's params"),
        ({"constraint": "params<=10"}, "the smallest choice of blocks has"),
        ({"constraint": ("params<=0.6x", "params<=0.5x")}, "one bound for each"),
        ({"constraint": "size<=0.5x"}, "Unknown cost 'size'"),
        ({"metric": "perplexity"}, "Unknown metric 'perplexity'"),
        ({"lr": 0}, "--lr: expected more than 0"),
        ({"arch": "embed=16;depth=2;mlp=2,2;heads=2,2"}, "are those of"),
        ({"width": 2.0}, "--width: expected"),
    ],
)  # fmt: skip
def test_bad_input(changes: dict[str, Any], message: str, weights: Path, tmp_path: Path) -> None:
    given = {} if not changes else {"weights": weights}
    with pytest.raises((ConfigError, UnknownNameError, CheckpointError), match=message) as caught:
        compress(smaller(**{**given, "steps": 0, "out": tmp_path / "out", **changes}))
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_space_without_layers(tmp_path: Path) -> None:
    cell = {"space": "nasbench201", "space_option": {"num_cells": 1, "width": 4}, "task": "digits"}
    arch = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    path = tmp_path / "cell.safetensors"
    train(TrainSettings(**cell, arch=arch, epochs=1, data_fraction=0.1, save=path))
    with pytest.raises(ConfigError, match="nasbench201: it has no layers to replace"):
        compress(CompressSettings(**cell, arch=arch, weights=path, constraint="params<=0.6x", out=tmp_path / "o"))


def test_a_run_is_not_written_over(make_run: Any, tmp_path: Path, small: Compressed) -> None:
    run = make_run()
    with pytest.raises(ConfigError, match="no trained weights"):
        compress(CompressSettings(source=run.directory, constraint="params<=0.6x", out=tmp_path / "o"))
    for source, out in ((None, run.directory), (small.directory, small.directory)):
        with pytest.raises(ConfigError, match="would be overwritten"):
            compress(CompressSettings(source=source, constraint="params<=0.6x", out=out))


def test_weights_and_a_supernet_contradict_each_other(weights: Path, blobs: Task) -> None:
    with pytest.raises(GennasError, match="both a supernet"):
        train(TrainSettings(**VIT, arch=ARCH, weights=weights, inherit=weights.parent))
    other = replace(TrainSettings(**VIT, weights=weights), arch="embed=16;depth=1;mlp=2;heads=2")
    with pytest.raises(CheckpointError, match="are those of"):
        train(other)


def test_objects_and_a_runs_fidelity(weights: Path, tmp_path: Path) -> None:
    """A space and a task that are the things themselves; images of half the size are those of the next command, too."""
    from gennas.spaces.autoformer import AutoFormerTiny
    from gennas.training import make_task

    space = AutoFormerTiny(**{name: tuple(v) if isinstance(v, list) else v for name, v in SPACE.items()})
    half: dict[str, Any] = {"resolution": 0.5, "epochs": 1, "train_option": {"batch_size": 256}}
    file = tmp_path / "half.safetensors"
    train(TrainSettings(space=space, task="digits", arch=ARCH, save=file, **half))
    out = tmp_path / "half"
    done = compress(smaller(space=space, space_option={}, weights=file, resolution=0.5, steps=0, out=out))
    assert done.library.spec.input_shape == (1, 4, 4)
    chosen = choose(TrainSettings(source=out))
    assert chosen.effort["resolution"] == 0.5 and chosen.train_option["batch_size"] == 256
    task = replace(make_task("digits"), name="mine")
    done = compress(smaller(task=task, weights=weights, steps=0, random=0, out=tmp_path / "object"))
    assert done.comparison.chosen.costs["params"] <= 0.6 * done.comparison.parent.costs["params"]
    with pytest.raises(ConfigError, match="smallest choice of blocks"):  # before anything is trained
        compress(smaller(weights=weights, constraint="params<=10", steps=10**9, out=tmp_path / "never"))
