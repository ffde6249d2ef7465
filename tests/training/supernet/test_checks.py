"""Supernets that cannot work are refused in one line, before they take memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError, InvalidArchitectureError
from gennas.graph import Architecture
from gennas.spaces import FBNet, NASBench201, TaskSpec, TransNASMicro
from gennas.spaces.parts import Parts, Plain
from gennas.testing.supernets import ToySpace
from gennas.training.supernet import Supernet, checks

IMAGE = TaskSpec("image", (3, 8, 8), 4)


class Row(ToySpace):
    """Candidates of which one may be wrong."""

    name = "row"

    def __init__(self, wrong: str = "", reads: bool = False) -> None:
        super().__init__()
        self.wrong, self.reads = wrong, reads

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        return Net(parts, spec, self.wrong, self.reads)


class Net(nn.Module):
    def __init__(self, parts: Parts, spec: TaskSpec, wrong: str, reads: bool) -> None:
        super().__init__()
        made = {"": nn.Conv2d(3, 3, 1), "shape": nn.Conv2d(3, 3, 3), "channels": nn.Conv2d(4, 3, 1)}
        self.first = parts.choice(0, lambda s: nn.Conv2d(3, 3, 1) if s < 2 else made[wrong])
        self.second = parts.choice(1, lambda s: nn.Identity())
        self.head, self.reads = nn.Linear(3 * 64, 4), reads

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(x))
        if self.reads:
            assert x.sum().item() < float("inf")  # which has no value without memory
        y: Tensor = self.head(x.flatten(1))
        return y


@pytest.mark.parametrize("reads", [False, True])
def test_a_candidate_that_changes_the_shape_is_named(reads: bool) -> None:
    with pytest.raises(EvaluationError, match=r"'skip' at first changes the shape.*3, 8, 8.*3, 6, 6"):
        Supernet(Row("shape", reads), IMAGE)


@pytest.mark.parametrize("reads", [False, True])
def test_a_candidate_that_fails_is_named(reads: bool) -> None:
    with pytest.raises(EvaluationError, match="'skip' at first fails on inputs of shape"):
        Supernet(Row("channels", reads), IMAGE)


@pytest.mark.parametrize("reads", [False, True])
def test_inputs_that_do_not_fit_are_refused(reads: bool) -> None:
    with pytest.raises(ConfigError, match=r"row: its networks cannot take the inputs of the task \(image, \(3, 9, 9\)"):
        Supernet(Row(reads=reads), TaskSpec("image", (3, 9, 9), 4))


def test_too_little_memory_is_said_before_any_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    space = NASBench201(num_cells=1, width=4)
    parameters = sum(p.numel() for p in Supernet(space, IMAGE).parameters())
    made: list[str] = []
    network = NASBench201.network

    def noted(self: NASBench201, parts: Parts, spec: TaskSpec) -> nn.Module:
        found = network(self, parts, spec)
        made.append(next(found.parameters()).device.type)
        return found

    monkeypatch.setattr(NASBench201, "network", noted)
    monkeypatch.setattr(checks, "available_memory", lambda: 16 * parameters)
    Supernet(space, IMAGE)
    assert made == ["meta", "cpu"]
    monkeypatch.setattr(checks, "available_memory", lambda: 16 * parameters - 1)
    with pytest.raises(ConfigError, match=f"supernet of nasbench201 has {parameters:,} parameters.*GiB are available"):
        Supernet(space, IMAGE)
    assert made == ["meta", "cpu", "meta"]
    monkeypatch.setattr(checks, "available_memory", lambda: None)
    Supernet(space, IMAGE)


def test_the_look_changes_no_weight_and_no_random_number() -> None:
    torch.manual_seed(0)
    space = NASBench201(num_cells=1, width=4)
    supernet, after = Supernet(space, IMAGE), torch.rand(1)
    torch.manual_seed(0)
    from gennas.spaces.parts import Shared

    plain = space.network(Shared(space.schema), IMAGE)
    assert torch.equal(after, torch.rand(1))
    for a, b in zip(supernet.shared.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_architectures_of_other_spaces_are_refused() -> None:
    supernet = Supernet(NASBench201(num_cells=1, width=4), IMAGE)
    for other in (TransNASMicro(), FBNet()):
        arch = other.sample(1, np.random.default_rng(0))[0]
        for call in (supernet.route_of, supernet.network, supernet.used):
            with pytest.raises(InvalidArchitectureError, match="outside of the supernet"):
                call(arch)
