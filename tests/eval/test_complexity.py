"""Counts against arithmetic done by hand."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv

from gennas.eval import complexity
from gennas.eval.complexity import Complexity, UnknownOperatorWarning, count_flops, count_parameters
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.spec import TaskSpec


class Fourier(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


@pytest.fixture(autouse=True)
def forget_warnings(monkeypatch):
    monkeypatch.setattr(complexity, "_warned", set())


@pytest.mark.parametrize(
    ("module", "shape", "params", "flops"),
    [
        (nn.Linear(7, 5), (3, 7), 7 * 5 + 5, 3 * 7 * 5),
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 6), 3 * 8 * 9 + 8, 3 * 8 * 9 * 10 * 6),
        (nn.Conv2d(4, 8, 5, stride=2, bias=False), (2, 4, 9, 9), 4 * 8 * 25, 2 * 4 * 8 * 25 * 3 * 3),
        (nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), (1, 6, 4, 4), 6 * 9, 6 * 9 * 16),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2), nn.Softmax(1)), (2, 3, 4, 4), 6, 0),
    ],
)
def test_hand_computed_counts(module, shape, params, flops):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert count_flops(module, shape) == Complexity(params, flops)


def test_attention_is_counted_although_it_has_a_fused_path():
    b, t, d = 2, 5, 8
    layer = nn.TransformerEncoderLayer(d, 2, 16, batch_first=True)
    projections, scores, mlp = 4 * b * t * d * d, 2 * b * t * t * d, 2 * b * t * d * 16
    assert count_flops(layer.eval(), (b, t, d)).flops == projections + scores + mlp
    assert torch.backends.mha.get_fastpath_enabled()


def test_message_passing_counts_one_per_aggregated_element():
    x, edge_index = torch.ones(4, 6), torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]])
    found = count_flops(GINConv(nn.Linear(6, 3)), (x, edge_index))
    assert found == Complexity(params=21, flops=5 * 6 + 4 * 6 * 3)


def test_a_language_model_of_tokens():
    v, t, d = 11, 6, 8

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.mix, self.head = nn.Embedding(v, d), nn.Linear(d, 3 * d), nn.Linear(d, v)

        def forward(self, tokens):
            q, k, x = self.mix(self.embed(tokens)).view(len(tokens), t, 3, 2, d // 2).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(q, k, x, is_causal=True)
            return self.head(y.transpose(1, 2).reshape(len(tokens), t, d))

    (tokens,) = TaskSpec("language", (t,), v, vocabulary=v).random_inputs(1)
    found = count_flops(Model(), (tokens,))
    assert found.flops == t * d * 3 * d + 2 * t * t * d + t * d * v, "looking tokens up is free"
    assert found.unknown == () and found.params == v * d + 3 * d * d + 3 * d + v * d + v


def test_unknown_operator_is_listed_and_warned_of_once():
    with pytest.warns(UnknownOperatorWarning, match="_fft_r2c"):
        assert count_flops(Fourier(), (2, 8)) == Complexity(0, 0, ("aten._fft_r2c",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert count_flops(Fourier(), (2, 8)).unknown == ("aten._fft_r2c",)


def test_product_with_a_sparse_tensor_is_unknown():
    class Propagate(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sparse.mm(torch.eye(3).to_sparse_coo(), x)

    with pytest.warns(UnknownOperatorWarning):
        assert any("sparse" in name or "mm" in name for name in count_flops(Propagate(), (3, 2)).unknown)


def test_mode_and_weights_are_left_alone():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    count_flops(module, (4, 1, 5, 5))
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_parameters_are_counted_once_when_shared_and_can_exclude_frozen_ones():
    a, b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    b.weight = a.weight
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert count_parameters(nn.Sequential(a, b, frozen)) == 9 + 8
    assert count_parameters(nn.Sequential(a, b, frozen), trainable_only=True) == 9


@pytest.mark.shared
def test_published_flops_of_nasbench201(shared_data):
    table = pd.read_csv(shared_data / "nb201.csv.gz", usecols=["arch", "params_c10_m", "flops_m"])
    space, spec = NASBench201(), TaskSpec("image", (3, 32, 32), 10)
    for row in table.sample(6, random_state=0).itertuples():
        found = count_flops(space.build(space.from_text(row.arch), spec), (1, 3, 32, 32))
        assert found.params == round(row.params_c10_m * 1e6)
        assert found.flops / 1e6 == pytest.approx(row.flops_m, abs=0.02)


@pytest.mark.parametrize("module", [nn.Hardswish(), nn.Hardsigmoid(), nn.PReLU(), nn.ChannelShuffle(2)])
def test_activations_and_shuffles_of_mobile_networks_are_free(module: nn.Module) -> None:
    """Known to cost nothing, and not warned of."""
    found = count_flops(module, (2, 4, 3, 3))
    assert (found.flops, found.unknown) == (0, ())
