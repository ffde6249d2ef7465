"""Weights come back exactly, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from gennas.errors import CheckpointError
from gennas.training import load_module, save_module


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.LazyLinear(2))


@pytest.fixture
def trained():
    module = network()
    module(torch.randn(4, 1, 5, 5))
    return module


def test_round_trip_gives_equal_logits(tmp_path, trained):
    save_module(trained, tmp_path / "deep" / "best.safetensors")
    other, x = network(), torch.randn(4, 1, 5, 5)
    other(x)
    load_module(other, tmp_path / "deep" / "best.safetensors")
    assert torch.equal(other.eval()(x), trained.eval()(x))
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["best.safetensors"]


def test_tied_weights(tmp_path):
    def tied() -> nn.Module:
        a, b = nn.Linear(3, 3), nn.Linear(3, 3)
        b.weight = a.weight
        return nn.Sequential(a, b)

    first, second = tied(), tied()
    save_module(first, tmp_path / "w")
    load_module(second, tmp_path / "w")
    assert torch.equal(second[0].weight, first[0].weight)
    assert second[1].weight is second[0].weight


def test_weights_of_another_network_change_nothing(tmp_path, trained):
    save_module(trained, tmp_path / "w")
    for other in (network(4), nn.Sequential(nn.Conv2d(1, 3, 3))):
        other(torch.randn(2, 1, 5, 5))
        before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
        with pytest.raises(CheckpointError, match="belong to another network"):
            load_module(other, tmp_path / "w")
        assert all(torch.equal(t, before[n]) for n, t in other.state_dict().items())


def test_missing_and_damaged_files(tmp_path, trained):
    with pytest.raises(CheckpointError, match="Expected weights in"):
        load_module(trained, tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"\x08")
    with pytest.raises(CheckpointError, match="Expected weights in"):
        load_module(trained, tmp_path / "bad")
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="could not be written"):
        save_module(trained, tmp_path / "file" / "w")


def test_numbers_of_another_type_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    network = nn.Linear(2, 2)
    save_file({"weight": torch.ones(2, 2, dtype=torch.int32), "bias": torch.zeros(2)}, tmp_path / "a.safetensors")
    before = network.weight.detach().clone()
    with pytest.raises(CheckpointError, match="weight has numbers of another type"):
        load_module(network, tmp_path / "a.safetensors")
    assert torch.equal(network.weight, before)
