from __future__ import annotations

import torch
from torch import nn

from gennas.eval.proxies._weights import (
    is_normalisation,
    named_weights,
    normalisation_parameters,
    weighted_layers,
    weights_of,
)


class MyRMSNorm(nn.RMSNorm):
    """A class of the user's, known by what it derives from."""


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.attention = nn.MultiheadAttention(4, 2)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.layer_norm = nn.LayerNorm((2, 4))  # a scale of two dimensions is none of the weights
        self.head = nn.Linear(4, 2)


def test_weights_are_kernels_and_matrices_that_learn() -> None:
    net = Net()
    names = [name for name, _ in named_weights(net)]
    assert names == ["conv.weight", "attention.in_proj_weight", "attention.out_proj.weight", "head.weight"]
    assert [id(w) for w in weights_of(net)] == [id(dict(net.named_parameters())[name]) for name in names]
    assert weighted_layers(net) == [net.conv, net.attention, net.attention.out_proj, net.head]


def test_normalisation_is_known_by_its_name_or_by_that_of_a_parent() -> None:
    assert all(map(is_normalisation, (nn.BatchNorm1d(2), nn.GroupNorm(1, 2), MyRMSNorm(2), nn.LocalResponseNorm(2))))
    assert not any(map(is_normalisation, (nn.Linear(2, 2), nn.Dropout(), nn.Softmax(1))))
    net = Net()
    owned = [*net.norm.parameters(), *net.layer_norm.parameters()]
    assert normalisation_parameters(net) == {id(p) for p in owned}


def test_a_shared_matrix_is_one_weight() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert len(weights_of(nn.Sequential(first, second))) == 1
    assert weighted_layers(nn.Sequential(first, second)) == [first, second]
