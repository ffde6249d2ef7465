"""What is recorded of a pass, on networks whose inner values are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.eval.proxies._record import (
    SignRecorder,
    blocks_of,
    channels_last,
    feature_layers,
    input_variances,
    last_map,
    outputs_of,
    spectral_entropy,
)
from gennas.eval.proxies.outcome import NotApplicableError, UndefinedError

X = torch.tensor([[-1.0, 2.0], [3.0, -4.0]])
SIGNS = [[False, True], [True, False]]


def test_signs_are_those_before_the_activation() -> None:
    with SignRecorder(2, smooth=False) as recorder:
        functional.relu(X)
        functional.gelu(X)
        X.clamp_min(0.0)  # no activation
        functional.relu(-X.clone(), inplace=True)
    assert [s.tolist() for s in recorder.relu] == [SIGNS, [[True, False], [False, True]]]
    assert recorder.all[0] is recorder.relu[0] and len(recorder.all) == 2


def test_smooth_activations_count_only_when_asked_for() -> None:
    with SignRecorder(2, smooth=True) as recorder:
        functional.silu(X)
        functional.leaky_relu(X)
    assert [s.tolist() for s in recorder.all] == [SIGNS, SIGNS] and len(recorder.relu) == 1


def test_rows_can_be_chosen_and_other_batches_are_passed_over() -> None:
    with SignRecorder(2, smooth=False, wanted=torch.tensor([1])) as recorder:
        functional.relu(X)
        functional.relu(torch.ones(3, 1))  # three rows are not those of the batch
        functional.relu(torch.ones(4, 1))  # two rows for each example
    assert [s.tolist() for s in recorder.relu] == [SIGNS[1:], [[True, True]]]


class Twice(nn.Module):
    """Calls one layer twice and hands its output on unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.same = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.same(self.layer(self.layer(x)))


def test_outputs_are_recorded_once_for_each_call_and_hooks_go() -> None:
    net = Twice()
    with outputs_of([net.layer, net.same]) as found:
        out = net(X)
    assert [module for module, _, _ in found] == [net.layer, net.layer], "an output handed on is not a new one"
    assert found[-1][1] is out and not net.layer._forward_hooks and not net.same._forward_hooks
    version = found[-1][2]
    with torch.no_grad():
        out.add_(1)
    assert out._version > version, "a change in place shows"


def test_blocks_are_the_coarsest_parts_with_weights() -> None:
    conv = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    residual, head = Twice(), nn.Linear(4, 2)
    net = nn.Sequential(conv, nn.Sequential(residual, nn.Sequential(nn.Linear(2, 2), nn.ReLU())), nn.Flatten(), head)
    assert blocks_of(net) == [conv, residual, net[1][1], head]
    assert blocks_of(nn.Sequential(nn.ModuleList([head, nn.ReLU()]), nn.Dropout())) == [head]


def test_feature_layers_are_single_ones_that_do_something() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sequential(nn.ReLU(), nn.Dropout()), nn.Identity())
    assert feature_layers(net) == [net[0], net[1][0]]


def test_positions_by_channels() -> None:
    images = torch.arange(12.0).reshape(1, 2, 2, 3)
    assert channels_last(images).tolist() == [[i, i + 6] for i in range(6)]
    assert channels_last(torch.zeros(2, 5, 3)).shape == (10, 3)
    assert channels_last(torch.zeros(7, 3)).shape == (7, 3)


def test_spectral_entropy_of_known_spectra() -> None:
    axes = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert spectral_entropy(axes) == pytest.approx(math.log(2))
    assert spectral_entropy(axes[:2]) == pytest.approx(0.0)
    p = torch.tensor([0.8, 0.2])
    assert spectral_entropy(axes * torch.tensor([2.0, 1.0])) == pytest.approx(-float((p * p.log()).sum()))
    assert spectral_entropy(axes + 5.0) == pytest.approx(math.log(2)), "the mean is no information"
    with pytest.raises(UndefinedError, match="constant"):
        spectral_entropy(torch.ones(4, 2))


def test_variances_are_those_that_each_batch_norm_sees() -> None:
    norm = nn.BatchNorm1d(2)
    net = nn.Sequential(norm, nn.BatchNorm1d(2))
    with input_variances(net) as found:
        net(X)
    assert found[0] == pytest.approx((4.0 + 9.0) / 2) and found[1] == pytest.approx(1.0, abs=1e-3)
    assert not norm._forward_pre_hooks


def test_the_last_map_has_more_than_one_position() -> None:
    image, pooled, tokens, rows = (torch.zeros(s) for s in ((2, 3, 4, 4), (2, 3, 1, 1), (2, 5, 3), (2, 3)))
    assert last_map([image, pooled, rows]) is image
    assert last_map([image, tokens, rows]) is tokens
    with pytest.raises(NotApplicableError, match="no layer"):
        last_map([pooled, rows])
