"""Weights as arrays come back exactly, whatever holds them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gennas.generators.registry import GENERATORS, new_generator
from gennas.generators.weights import pack_weights, unpack_weights
from gennas.spaces import NASBench201


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_generator_comes_back(kind: str) -> None:
    space = NASBench201()
    first, other = (new_generator(kind, space, 1, seed) for seed in (0, 1))
    weights = pack_weights(first)
    assert weights and all(isinstance(array, np.ndarray) for array in weights.values())
    assert any((weights[name] != array).any() for name, array in pack_weights(other).items())
    unpack_weights(other, weights)
    assert pack_weights(other).keys() == weights.keys()
    assert all((weights[name] == array).all() for name, array in pack_weights(other).items())
    assert first.sample(20, np.array([0.5]), seed=3).keys == other.sample(20, np.array([0.5]), seed=3).keys


def test_a_network_is_its_own_weights() -> None:
    first, other = nn.Linear(2, 3), nn.Linear(2, 3)
    unpack_weights(other, pack_weights(first))
    assert torch.equal(first.weight, other.weight)


def test_what_is_no_network_says_itself_what_it_learned() -> None:
    class Counts:
        counts = np.zeros(2)

        def state_dict(self):
            return {"counts": self.counts}

        def load_state_dict(self, state):
            self.counts = state["counts"]

    first, other = Counts(), Counts()
    first.counts = np.arange(2.0)
    unpack_weights(other, pack_weights(first))
    assert other.counts.tolist() == [0.0, 1.0]
