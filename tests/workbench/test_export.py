"""Networks in files of other programs: which weights, which sizes, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gennas.errors import CheckpointError, ConfigError, GennasError
from gennas.runtime.seeds import seeded
from gennas.spaces import MacroChain, TaskSpec
from gennas.training import Task
from gennas.workbench.export import ExportSettings, export
from gennas.workbench.train import TrainSettings, train

CHAIN = "conv3x3-w4-s1/conv3x3-w4-s2"
OTHER = "conv3x3-w4-s2/conv3x3-w4-s1"
SPACE = {"space": "macro-chain", "space_option": {"widths": [4]}}


def exported(tmp_path: Path, **settings: Any) -> Any:
    values = {**SPACE, "arch": CHAIN, "to": "safetensors", "out": tmp_path / "net.safetensors", **settings}
    return export(ExportSettings(**values))


def test_fresh_weights_are_those_of_the_seed(blobs: Task, tmp_path: Path) -> None:
    done = exported(tmp_path, task=blobs, seed=7)
    space = MacroChain(widths=(4,))
    with seeded(7):
        module = space.build(space.from_text(CHAIN), TaskSpec("image", (1, 8, 8), 2))
    saved = load_file(done.path)
    assert all(torch.equal(saved[name], value) for name, value in module.state_dict().items())
    assert done.sizes == (2, 1, 5) and done.difference == 0.0 and done.path == tmp_path / "net.safetensors"


def test_another_seed_other_weights(blobs: Task, tmp_path: Path) -> None:
    first = load_file(exported(tmp_path, task=blobs, seed=1).path)["classifier.weight"]
    assert not torch.equal(first, load_file(exported(tmp_path, task=blobs, seed=2).path)["classifier.weight"])


def test_trained_weights_go_into_the_file(blobs: Task, tmp_path: Path) -> None:
    weights = tmp_path / "trained.safetensors"
    train(TrainSettings(**SPACE, arch=CHAIN, task=blobs, epochs=1, save=weights))
    saved, trained = load_file(exported(tmp_path, task=blobs, weights=weights).path), load_file(weights)
    assert saved.keys() == trained.keys() and all(torch.equal(saved[name], trained[name]) for name in trained)


def test_weights_of_another_architecture_are_refused(blobs: Task, tmp_path: Path) -> None:
    weights = tmp_path / "trained.safetensors"
    train(TrainSettings(**SPACE, arch=OTHER, task=blobs, epochs=1, save=weights))
    with pytest.raises(CheckpointError, match=f"are those of {OTHER}, expected {CHAIN}"):
        exported(tmp_path, task=blobs, weights=weights)
    assert not (tmp_path / "net.safetensors").exists()


def test_weights_of_another_size_or_task_are_refused(blobs: Task, tmp_path: Path) -> None:
    weights = tmp_path / "trained.safetensors"
    train(TrainSettings(**SPACE, arch=CHAIN, task=blobs, epochs=1, save=weights))
    for settings in ({"task": blobs, "width": 2.0}, {"task": blobs, "depth": 2.0}, {"task": "digits"}):
        with pytest.raises(CheckpointError):
            exported(tmp_path, weights=weights, **settings)


def test_the_source_of_a_scaled_network_is_that_network(blobs: Task, tmp_path: Path) -> None:
    done = exported(tmp_path, task=blobs, to="source", out=tmp_path / "net.py", width=2.0, depth=2.0)
    scope: dict[str, Any] = {}
    exec(done.path.read_text(), scope)
    net = scope["ChainNetwork"]()
    assert net.classifier.in_features == 8 and len(net.layers) == 4
    assert net(torch.zeros(3, 1, 8, 8)).shape == (3, 2) and done.difference < 1e-5


def test_a_smaller_resolution_is_what_is_traced(blobs: Task, tmp_path: Path) -> None:
    done = exported(tmp_path, task=blobs, to="pt2", out=tmp_path / "net.pt2", resolution=0.5)
    program = torch.export.load(done.path).module()
    assert program(torch.zeros(4, 1, 4, 4)).shape == (4, 2)


def test_a_graph_network_is_compared_on_the_graph_and_its_half(tmp_path: Path) -> None:
    edges = torch.arange(12).reshape(2, 6) % 12
    part = {p: torch.arange(12) % 3 == i for i, p in enumerate(("train", "validation", "test"))}
    task = Task.from_graph("tiny", x=torch.randn(12, 5), edge_index=edges, y=torch.arange(12) % 2, **part)
    settings = {"space": "nasbench-graph", "space_option": {"hidden": 8}, "arch": "0012:gcn,fc,skip,sage"}
    done = exported(tmp_path, **settings, task=task)
    assert done.sizes == (12, 6) and done.difference == 0.0


@pytest.mark.parametrize("to", ["onnx", "pt2", "safetensors", "source"])
def test_a_place_to_write_to_is_needed_and_an_example_is_given(to: str, blobs: Task, tmp_path: Path) -> None:
    ending = {"source": "py"}.get(to, to)
    with pytest.raises(ConfigError, match=f"Say where to write with --out FILE, for example --out net.{ending}"):
        exported(tmp_path, to=to, task=blobs, out=None)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"to": "onyx"}, "Did you mean onnx"),
        ({"resolution": 0.0}, "--resolution: expected more than 0"),
        ({"width": 0.0}, "--width: expected more than 0"),
        ({"weights": Path("missing.safetensors")}, "missing.safetensors"),
        ({"out": Path("/proc/nowhere/net.safetensors")}, "/proc/nowhere"),
    ],
)
def test_bad_settings(settings: dict[str, Any], complaint: str, blobs: Task, tmp_path: Path) -> None:
    with pytest.raises(GennasError) as caught:
        exported(tmp_path, task=blobs, **settings)
    assert complaint in str(caught.value)
