"""The contract suite on every space of the package, and on one that a user might write."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gennas.graph import Architecture, GraphSchema
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph, Space, TaskSpec
from gennas.testing import SpaceContract

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class ToySpace(Space):
    """All of a new space: a hidden layer's activation, and whether the input also skips it."""

    name = "toy"

    def __init__(self) -> None:
        labels = ("input", *ACTIVATIONS, "output")
        node_mask = np.zeros((3, 5), dtype=bool)
        node_mask[0, 0] = node_mask[1, 1:4] = node_mask[2, 4] = True
        edge_mask = np.zeros((3, 3, 2), dtype=bool)
        edge_mask[..., 0] = edge_mask[0, 2] = True
        edge_mask[[0, 1], [1, 2]] = [False, True]
        self.schema = GraphSchema(self.name, labels, ("none", "edge"), node_mask, edge_mask)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        spec.image_channels(self.name)
        return ToyNetwork(arch, int(np.prod(spec.input_shape)), spec.num_outputs)


class ToyNetwork(nn.Module):
    def __init__(self, arch: Architecture, inputs: int, outputs: int) -> None:
        super().__init__()
        activation = ACTIVATIONS[arch.schema.node_labels[arch.nodes[1]]]
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 8), activation(), nn.Linear(8, outputs))
        self.skip = nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs)) if arch.edges[0, 2] else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.hidden(images)
        return logits if self.skip is None else logits + self.skip(images)


class TestToySpace(SpaceContract):
    def make_space(self) -> Space:
        return ToySpace()

    def test_size_and_text(self) -> None:
        assert self.space.size == 6
        assert self.space.to_text(self.space.architecture([2, 1])) == "tanh/edge"


class TestNASBench201(SpaceContract):
    def make_space(self) -> Space:
        return NASBench201(num_cells=1, width=4)


class TestNASBench101(SpaceContract):
    num_built = 2
    specs = (TaskSpec("image", (1, 8, 8), 10),)

    def make_space(self) -> Space:
        return NASBench101(width=8, num_stacks=2, num_cells=1)


class TestNASBenchGraph(SpaceContract):
    specs = (TaskSpec("node", (5,), 3),)

    def make_space(self) -> Space:
        return NASBenchGraph(hidden=8)


class TestNASBenchGraphProteins(SpaceContract):
    num_built = 1
    specs = (TaskSpec("node", (5,), 3),)

    def make_space(self) -> Space:
        return NASBenchGraph("proteins", hidden=8)


class TestMacroChain(SpaceContract):
    def make_space(self) -> Space:
        return MacroChain(max_depth=4, min_depth=1, widths=(4, 8), max_downsamplings=2)


class TestMacroChainOfFixedDepth(SpaceContract):
    num_built = 1

    def make_space(self) -> Space:
        return MacroChain(max_depth=2, min_depth=2, kernels=(3,), widths=(4,), strides=(1,))


class DeadEndSpace(ToySpace):
    """Calls a skip illegal although it hands it out: the contract must notice."""

    def legal(self, D: np.ndarray, t: int) -> np.ndarray:
        mask = super().legal(D, t).copy()
        mask[:, 1] &= t == 0
        return mask

    def sample(self, n: int, rng: np.random.Generator):  # type: ignore[no-untyped-def]
        return ToySpace().sample(n, rng)


def test_contract_notices_a_broken_space() -> None:
    class Broken(SpaceContract):
        def make_space(self) -> Space:
            return DeadEndSpace()

    with pytest.raises(AssertionError, match="not valid"):
        Broken().test_samples_are_valid_and_canonical()
    with pytest.raises(AssertionError, match="called illegal"):
        Broken().test_every_prefix_of_a_member_is_legal()
