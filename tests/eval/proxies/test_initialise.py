from __future__ import annotations

import pytest
import torch
from torch import nn

from gennas.eval.proxies.initialise import initialise


def network() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(64, 512))
    net[1].weight.data.fill_(3.0)
    net[1].running_mean.fill_(2.0)
    return net


def test_default_leaves_everything() -> None:
    net = network()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    initialise(net, "default")
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())


@pytest.mark.parametrize(("how", "conv", "linear"), [("kaiming", (2 / 72) ** 0.5, (2 / 64) ** 0.5), ("normal", 1, 1)])
def test_deviations_biases_and_normalisation(how, conv: float, linear: float) -> None:
    net = network()
    initialise(net, how)
    assert net[0].weight.std().item() == pytest.approx(conv, rel=0.05)
    assert net[3].weight.std().item() == pytest.approx(linear, rel=0.05)
    assert abs(net[3].weight.mean().item()) < 0.05 * linear
    assert not net[0].bias.any() and not net[3].bias.any() and not net[1].bias.any()
    assert (net[1].weight == 1).all() and (net[1].running_mean == 2).all()


def test_kaiming_draws_vectors_too() -> None:
    class Token(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(4000))

    net = Token()
    torch.manual_seed(1)
    initialise(net, "kaiming")
    assert net.token.std().item() == pytest.approx(1.0, rel=0.05)
