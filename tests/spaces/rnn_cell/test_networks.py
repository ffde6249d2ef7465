"""Tests of recurrent networks: the cell by hand, and lengths."""

from __future__ import annotations

import torch

from gennas.spaces import TaskSpec
from gennas.spaces.rnn_cell.networks import Cell, RecurrentNetwork


def test_a_cell_by_hand() -> None:
    """Three nodes: the third reads the first; the second and the third are leaves."""
    torch.manual_seed(0)
    cell = Cell(["sigmoid", "relu", "identity"], [0, 0], [1, 2], 4)
    x, h = torch.randn(2, 4), torch.randn(2, 4)
    c, u = cell.first(torch.cat([x, h], 1)).split(4, 1)
    s1 = h + torch.sigmoid(c) * (torch.sigmoid(u) - h)
    c, u = cell.linears[0](s1).split(4, 1)
    s2 = s1 + torch.sigmoid(c) * (torch.relu(u) - s1)
    c, u = cell.linears[1](s1).split(4, 1)
    s3 = s1 + torch.sigmoid(c) * (u - s1)
    torch.testing.assert_close(cell(x, h), (s2 + s3) / 2)


def test_a_network_is_causal_and_takes_shorter_texts() -> None:
    spec = TaskSpec("language", (7,), 11, vocabulary=11)
    torch.manual_seed(0)
    net = RecurrentNetwork(Cell(["tanh", "relu"], [0], [1], 4), spec, is_tied=False)
    tokens = spec.random_inputs(2)[0]
    torch.testing.assert_close(net(tokens)[:, :4], net(tokens[:, :4]))
    assert not torch.allclose(net(tokens)[:, 4], net(torch.cat([tokens[:, 1:2], tokens[:, 1:]], 1))[:, 4])


def test_the_head_of_a_tied_language_model_is_the_embedding() -> None:
    cell = Cell(["tanh", "relu"], [0], [1], 4)
    language = TaskSpec("language", (7,), 11, vocabulary=11)
    net = RecurrentNetwork(cell, language, is_tied=True)
    assert net.head.weight is net.embedding.weight
    assert RecurrentNetwork(cell, TaskSpec("tagging", (7,), 3, vocabulary=11), True).head.weight.shape == (3, 4)
