"""Private copies of networks: equal, apart, and shared inside where the original is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError
from gennas.runtime.copies import convert_in_place, copy_network, redrawn


class Net(nn.Module):
    """A shared weight, a plain attribute that refers to a submodule, settings in containers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.order = [self.second, self.first]
        self.settings = {"depth": 2, "names": ("a", "b"), "kinds": {1, 2}}

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.order:
            x = self.norm(layer(x))
        return x


X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def test_a_copy_computes_the_same_and_shares_nothing() -> None:
    net = Net()
    copy = copy_network(net, lambda t: t)
    assert torch.equal(copy(X), net(X)) and repr(copy) == repr(net)
    mine = {t.data_ptr() for t in (*copy.parameters(), *copy.buffers())}
    assert not mine & {t.data_ptr() for t in (*net.parameters(), *net.buffers())}
    before = net.norm.running_mean.clone()
    copy(X + 3)
    assert torch.equal(net.norm.running_mean, before) and not torch.equal(copy.norm.running_mean, before)


def test_what_is_shared_inside_is_shared_in_the_copy() -> None:
    copy = copy_network(Net(), torch.clone)
    assert copy.first.weight is copy.second.weight and copy.order[0] is copy.second
    assert isinstance(copy.first.weight, nn.Parameter)


def test_settings_are_copies() -> None:
    net = Net()
    copy = copy_network(net, torch.clone)
    copy.settings["depth"] = 9
    copy.settings["kinds"].add(3)
    copy.order.clear()
    assert net.settings == {"depth": 2, "names": ("a", "b"), "kinds": {1, 2}} and len(net.order) == 2


def test_values_are_converted_and_requires_grad_stays() -> None:
    net = Net()
    net.first.bias.requires_grad_(False)
    copy = copy_network(net, lambda t: t.double().abs() if t.is_floating_point() else t)
    assert copy.first.weight.dtype == torch.float64 and (copy.first.weight >= 0).all()
    assert not copy.first.bias.requires_grad and copy.first.weight.requires_grad
    assert net.first.weight.dtype == torch.float32 and net.first.weight.grad is None


def test_a_hook_on_the_copy_is_not_one_on_the_original() -> None:
    net, calls = Net(), []
    net.first.register_forward_hook(lambda *_: calls.append("old"))
    copy = copy_network(net, torch.clone)
    copy.first.register_forward_hook(lambda *_: calls.append("new"))
    net(X)
    assert calls == ["old"]
    copy(X)
    assert calls == ["old", "old", "new"]


def test_parametrised_networks_are_copied_too() -> None:
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    copy = copy_network(net, torch.clone)
    assert torch.equal(copy(X), net(X))
    copy[0].bias.data.zero_()
    assert net[0].bias.any()


def test_what_cannot_be_copied_is_one_clear_error() -> None:
    net = Net()
    net.source = (i for i in range(3))
    with pytest.raises(EvaluationError, match="Net cannot be copied"):
        copy_network(net, torch.clone)


def test_converting_in_place_keeps_sharing() -> None:
    net = Net()
    assert convert_in_place(net, lambda t: t.double() if t.is_floating_point() else t) is net
    assert net.first.weight is net.second.weight and net.norm.running_mean.dtype == torch.float64
    assert net.norm.num_batches_tracked.dtype == torch.int64


def test_redrawn_layers_are_as_new() -> None:
    net = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64))
    net[1].running_mean.fill_(5.0)
    torch.manual_seed(3)
    first = redrawn(net)
    torch.manual_seed(3)
    second = redrawn(net)
    assert torch.equal(first[0].weight, second[0].weight) and not torch.equal(first[0].weight, net[0].weight)
    assert first[0].weight.abs().max() <= 1 / 8 and not first[1].running_mean.any() and net[1].running_mean.all()
