"""Private copies of networks: equal values, nothing shared with the original."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError
from gennas.runtime.copies import convert_in_place, copy_network, redrawn
from gennas.spaces import NASBench201, TaskSpec


class Tied(nn.Module):
    """Two layers of the same weight, a buffer, plain attributes that refer to modules and tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.register_buffer("scale", torch.tensor([2.0]))
        self.register_buffer("steps", torch.tensor(3))
        self.order = [self.first, self.second]
        self.names = {"main": (self.first, "linear")}
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.note, self.empty = "a note", {}

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.order:
            x = layer(x) * self.scale
        return x


def nets() -> list[nn.Module]:
    space = NASBench201(num_cells=1, width=4)
    cell = space.from_text("|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")
    return [
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)),
        space.build(cell, TaskSpec("image", (1, 8, 8), 3)),
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_a_copy_computes_the_same_and_shares_no_memory(which: int) -> None:
    net, x = nets()[which], torch.randn(4, 1, 8, 8)
    net(x)
    twin = copy_network(net.eval(), torch.clone)
    torch.testing.assert_close(twin(x), net(x))
    assert str(twin) == str(net) and list(twin.state_dict()) == list(net.state_dict())
    mine, others = ({t.data_ptr() for t in n.state_dict().values()} for n in (net, twin))
    assert not mine & others


def test_changing_a_copy_leaves_the_original() -> None:
    net = nets()[1]
    before = copy.deepcopy(net.state_dict())
    twin = copy_network(net, torch.clone)
    twin.train()(torch.randn(4, 1, 8, 8)).sum().backward()
    for parameter in twin.parameters():
        parameter.data.zero_()
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_a_conversion_that_returns_its_argument_still_copies() -> None:
    net = nn.Linear(2, 2)
    twin = copy_network(net, lambda t: t)
    assert twin.weight.data_ptr() != net.weight.data_ptr() and torch.equal(twin.weight, net.weight)


def test_values_are_converted() -> None:
    twin = copy_network(nn.BatchNorm1d(3), lambda t: t.double() if t.is_floating_point() else t)
    assert twin.weight.dtype == twin.running_mean.dtype == torch.float64
    assert twin.num_batches_tracked.dtype == torch.int64


def test_what_is_shared_inside_stays_shared_inside() -> None:
    net = Tied()
    twin = copy_network(net, torch.clone)
    assert twin.first.weight is twin.second.weight and twin.first.weight is not net.first.weight
    assert twin.order[0] is twin.first and twin.order[1] is twin.second
    assert twin.names["main"][0] is twin.first and twin.names["main"][1] == "linear"
    assert twin.note == "a note" and twin.empty == {} and twin.empty is not net.empty
    assert not twin.frozen.requires_grad and twin.first.bias.requires_grad
    x = torch.randn(2, 3)
    torch.testing.assert_close(twin(x), net(x))
    assert isinstance(twin.first.weight, nn.Parameter) and not isinstance(twin.scale, nn.Parameter)


def test_a_hook_on_the_copy_is_not_on_the_original() -> None:
    net, calls = nn.Linear(2, 2), []
    net.register_forward_hook(lambda *_: calls.append("old"))
    twin = copy_network(net, torch.clone)
    twin.register_forward_hook(lambda *_: calls.append("new"))
    twin(torch.zeros(1, 2))
    assert calls == ["old", "new"]
    net(torch.zeros(1, 2))
    assert calls == ["old", "new", "old"]


def test_modules_that_know_how_to_copy_themselves_do() -> None:
    net = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    twin, x = copy_network(net, torch.clone), torch.randn(2, 3)
    torch.testing.assert_close(twin(x), net(x))
    assert twin.parametrizations.weight.original0 is not net.parametrizations.weight.original0


def test_what_cannot_be_copied_is_said() -> None:
    net = nn.Linear(2, 2)
    net.lines = (line for line in ("a", "b"))
    with pytest.raises(EvaluationError, match=r"Linear cannot be copied .*generator.*, which scoring needs"):
        copy_network(net, torch.clone)


def test_redrawn_weights_are_those_of_a_new_network() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    with torch.no_grad():
        net[1].weight.fill_(5.0)
        net[1].running_mean.fill_(7.0)
    torch.manual_seed(0)
    again = redrawn(net)
    torch.manual_seed(0)
    fresh = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), fresh.state_dict().values(), strict=True))
    assert net[1].weight[0] == 5.0


def test_converting_in_place_keeps_the_module_and_its_sharing() -> None:
    net = Tied()
    found = convert_in_place(net, lambda t: t.double() if t.is_floating_point() else t)
    assert found is net and net.first.weight is net.second.weight
    assert {t.dtype for t in net.state_dict().values()} == {torch.float64, torch.int64}
    assert not net.frozen.requires_grad and net.first.weight.requires_grad
    assert net(torch.zeros(1, 3, dtype=torch.double)).dtype == torch.float64
