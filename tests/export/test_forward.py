"""Forward methods as source: what stands there, and that it computes the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.errors import ExportError
from gennas.export._constructors import slot
from gennas.export._forward import forward_lines

X = torch.linspace(-2, 2, 12).reshape(3, 4)


class Net(nn.Module):
    """Layers of every kind of owner, and a forward method given as a function."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.ReLU()])
        self.named = nn.ModuleDict({"a": nn.Linear(4, 4)})
        self.register_buffer("shift", torch.ones(4))
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def body(function: Callable[..., object]) -> list[str]:
    """The body's lines; checked to compute what the function does."""
    net = Net(function)
    lines = forward_lines(net)
    assert lines[0] == "def forward(self, x: torch.Tensor):"
    source = "\n".join(lines)
    for name in ("channels", "size"):
        for value in range(9):
            source = source.replace(slot(name, value), str(value))
    scope: dict[str, Callable[..., object]] = {}
    exec(source, {"torch": torch, "nn": nn, "functional": functional}, scope)
    torch.testing.assert_close(scope["forward"](net, X.clone()), net(X.clone()))
    return [line.strip() for line in source.splitlines()[1:]]


def test_calls_that_are_used_once_stand_where_they_are_used() -> None:
    assert body(lambda m, x: torch.relu(m.layer(x))) == ["return torch.relu(self.layer(x))"]


def test_values_that_are_used_twice_get_a_name() -> None:
    def residual(m: Net, x: Tensor) -> Tensor:
        y = m.layer(x)
        return y + torch.tanh(y)

    assert body(residual) == ["layer = self.layer(x)", "return layer + torch.tanh(layer)"]


def test_submodules_and_buffers_are_reached_as_they_lie() -> None:
    found = body(lambda m, x: m.layers[0](m.named["a"](x)) * m.shift)
    assert found == ['return self.layers[0](self.named["a"](x)) * self.shift']


def test_parentheses_where_they_are_needed() -> None:
    assert body(lambda m, x: (x + 1 - x) * 2) == ["return ((x + 1) - x) * 2"]
    assert body(lambda m, x: x + x + x) == ["return x + x + x"]
    assert body(lambda m, x: (-x) ** 2) == ["return (-x) ** 2"]


def test_indices_slices_and_tuples() -> None:
    assert body(lambda m, x: x[:, 1:3]) == ["return x[:, 1:3]"]
    assert body(lambda m, x: x[..., None]) == ["return x[..., None]"]
    assert body(lambda m, x: x[::2]) == ["return x[::2]"]
    assert body(lambda m, x: (x, [x.T], {"k": x})) == ['return (x, [x.T], {"k": x})']


def test_the_order_of_what_changes_something_stays() -> None:
    def shifted(m: Net, x: Tensor) -> Tensor:
        before = x * 2
        x.add_(1)
        return before + x

    assert body(shifted) == ["mul = x * 2", "x.add_(1)", "return mul + x"]


def test_methods_and_keywords() -> None:
    assert body(lambda m, x: x.mean(dim=1, keepdim=True)) == ["return x.mean(dim=1, keepdim=True)"]
    assert body(lambda m, x: torch.cat([x, x], dim=1)) == ["return torch.cat([x, x], dim=1)"]


class Star(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        return parts[0]


class Free(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.made

    def __init__(self) -> None:
        super().__init__()
        self.made = torch.ones(1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Net(lambda m, x: x if x.sum() > 0 else -x), "symbolic tracing cannot follow"),
        (Star(), "write its arguments out"),
        (Free(), "register it as a buffer"),
    ],
)
def test_what_has_no_plain_source_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        forward_lines(module)
