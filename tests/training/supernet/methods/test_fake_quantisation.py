"""Rounding to INT8 in the forward pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.spaces import NASBench201
from gennas.training import Trainer, make_task
from gennas.training.supernet import Supernet
from gennas.training.supernet.methods import FakeQuantised, FBNet, Routed, additive_table, quantise_candidates
from gennas.training.supernet.methods.alternating import AlternatingStep

TASK, SPACE = make_task("digits"), NASBench201(num_cells=1, width=4)


def rounded(x: torch.Tensor, top: torch.Tensor, bits: int) -> torch.Tensor:
    high = 2 ** (bits - 1) - 1
    scale = top / high
    return scale * torch.clamp(torch.round(x / scale), -high - 1, high)


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_are_rounded_by_output_channel_and_gradients_pass(bits):
    torch.manual_seed(0)
    w = torch.randn(3, 2, 3, 3, requires_grad=True)
    found = FakeQuantised(bits)(w)
    top = w.detach().abs().flatten(1).amax(1).view(3, 1, 1, 1)
    assert (found - rounded(w.detach(), top, bits)).abs().max() <= 1e-6
    assert torch.equal(torch.autograd.grad(found.sum(), w)[0], torch.ones_like(w))
    assert len(found[0].unique()) <= 2**bits


def test_activations_have_a_moving_range_that_stands_still_in_evaluation():
    fake = FakeQuantised(8, momentum=0.5)
    fake(torch.tensor([1.0, -4.0]))
    assert float(fake.largest) == 4.0
    fake(torch.tensor([2.0, 0.0]))
    assert float(fake.largest) == 3.0
    fake.eval()
    x = torch.tensor([10.0, 1.0, -1.5], requires_grad=True)
    found = fake(x)
    assert float(fake.largest) == 3.0
    assert torch.allclose(found, rounded(x.detach(), torch.tensor(3.0), 8), atol=1e-6)
    assert torch.autograd.grad(found.sum(), x)[0].tolist() == [0.0, 1.0, 1.0]  # beyond the range nothing passes
    with pytest.raises(ConfigError, match="bits"):
        FakeQuantised(1)


def test_only_candidates_are_rounded_and_fbnet_searches_them():
    torch.manual_seed(0)
    supernet = Supernet(SPACE, TASK.spec)
    copy = Supernet(SPACE, TASK.spec)
    copy.load_state_dict(supernet.state_dict())
    x = torch.randn(4, 1, 8, 8)
    supernet.eval()
    before = {k: supernet(x, route=[k] * 6).detach() for k in (1, 3)}
    quantise_candidates(supernet, bits=4)
    assert torch.equal(supernet(x, route=[1] * 6), before[1])  # skips have no weights
    arch = SPACE.sample(1, np.random.default_rng(0))[0]
    network = supernet.network(arch)
    assert not any(isinstance(m, FakeQuantised) for m in network.modules())
    assert {type(m) for m in network.modules()} == {type(m) for m in SPACE.build(arch, TASK.spec).modules()}
    assert torch.equal(network(x), Supernet.network(copy, arch).eval()(x))  # the weights before rounding
    supernet.train()
    supernet(x, route=[3] * 6)
    copy.train()
    copy(x, route=[3] * 6)
    gap = supernet.eval()(x, route=[3] * 6) - copy.eval()(x, route=[3] * 6)
    assert gap.abs().max() > 1e-3
    table, base = additive_table(SPACE, lambda archs: SPACE.count_parameters(archs, TASK.spec))
    step = AlternatingStep(FBNet(SPACE, TASK.spec, torch.from_numpy(table), base))
    result = Trainer(TASK, replace(TASK.config, epochs=1, batch_size=256), step).fit(Routed(supernet, step))
    assert np.isfinite(result.train_loss).all()
    with pytest.raises(ConfigError, match="found none"):
        quantise_candidates(nn.Linear(2, 2))
