"""Weights that move between networks, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gennas.errors import CheckpointError
from gennas.models.weights import blocks, copy_weights


def network(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 3), nn.BatchNorm1d(3))


def test_all_weights_and_buffers_are_copied_and_stay_independent() -> None:
    old, new = network(2), network(2)
    old[1].running_mean.fill_(7.0)
    copy_weights(new, old)
    assert all(torch.equal(a, b) for a, b in zip(new.state_dict().values(), old.state_dict().values(), strict=True))
    old[0].weight.data.fill_(9.0)
    assert not (new[0].weight == 9.0).any()


def test_places_move_along_their_axis() -> None:
    old, new = network(2), network(4)
    before = new[0].weight.detach().clone()
    copy_weights(new, old, {"0.weight": (1, np.array([1, -1, 0, -1]))})
    assert torch.equal(new[0].weight[:, 0], old[0].weight[:, 1])
    assert torch.equal(new[0].weight[:, 2], old[0].weight[:, 0])
    assert torch.equal(new[0].weight[:, [1, 3]], before[:, [1, 3]]), "what is new keeps its own beginning"
    assert torch.equal(new[0].bias, old[0].bias)


def test_what_is_to_be_left_is_left() -> None:
    old, new = network(2), network(5)
    before = new[0].bias.detach().clone()
    copy_weights(new, old, leave=["0."])
    assert torch.equal(new[0].bias, before) and torch.equal(new[1].weight, old[1].weight)


def test_another_size_and_a_missing_name_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"'0.weight' of shape \(3, 4\), got \(3, 2\)"):
        copy_weights(network(4), network(2))
    with pytest.raises(CheckpointError, match=r"'1.weight' of shape \(3,\), got nothing"):
        copy_weights(network(2), network(2)[:1])


def test_blocks_are_consecutive_places() -> None:
    assert blocks([1, None, 0]).tolist() == [1, -1, 0]
    assert blocks([1, None, 0], 3).tolist() == [3, 4, 5, -1, -1, -1, 0, 1, 2]
    assert blocks([]).tolist() == []
