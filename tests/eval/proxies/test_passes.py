"""Every pass on a linear network, where it can be written down."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError
from gennas.eval.proxies.batch import ProxyBatch
from gennas.eval.proxies.outcome import NotApplicableError, UndefinedError
from gennas.eval.proxies.passes import Pass, Passes, without_inplace

X = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0], [2.0, 2.0, -1.0]])
Y = torch.tensor([0, 1, 1])
BATCH = ProxyBatch((X,), Y, second=ProxyBatch((-X,), Y))


def linear() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(3, 2))
    net[0].weight.data = torch.tensor([[1.0, -1.0, 2.0], [-0.5, 0.0, 1.0]])
    net[0].bias.data = torch.tensor([0.5, -0.5])
    return net


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))


def passes(net: nn.Module, *wanted: Pass, batch: ProxyBatch = BATCH, keep: bool = True) -> Passes:
    return Passes(net, batch, 0, frozenset(wanted), keep)


def loss_gradient(net: nn.Sequential, x: Tensor) -> Tensor:
    """Of a linear network: mean over examples of (softmax - one-hot) x."""
    error = net(x).softmax(1) - nn.functional.one_hot(Y, 2)
    return (error.T @ x / len(x)).detach()


def test_the_gradient_is_that_of_the_mean_cross_entropy() -> None:
    net = linear()
    flow = passes(net, "gradient").gradient
    assert flow.names == ["0.weight"] and torch.equal(flow.weights[0], net[0].weight)
    torch.testing.assert_close(flow.gradients[0], loss_gradient(net, X))
    torch.testing.assert_close(passes(net, "second_gradient").second_gradient.gradients[0], loss_gradient(net, -X))


def test_the_second_batch_has_to_be_there() -> None:
    with pytest.raises(NotApplicableError, match="only one"):
        _ = passes(linear(), "second_gradient", batch=ProxyBatch((X,), Y)).second_gradient


def test_curvature_is_the_hessian_times_the_gradient() -> None:
    """Against central differences of the gradient along itself, in float64."""
    net, batch = linear().double(), ProxyBatch((X.double(),), Y)
    product = passes(net, "gradient", "curvature", batch=batch).curvature.gradients[0]
    direction, step, found = loss_gradient(net, X.double()), 1e-5, []
    for sign in (1, -1):
        moved = linear().double()
        moved[0].weight.data = net[0].weight + sign * step * direction
        found.append(loss_gradient(moved, X.double()))
    torch.testing.assert_close(product, (found[0] - found[1]) / (2 * step), rtol=1e-5, atol=1e-9)


def test_synflow_multiplies_absolute_weights() -> None:
    """Ones in, so the gradient of a weight is 1 times the paths behind it."""
    net = two_layers()
    flow = passes(net, "synflow").synflow
    behind = net[2].weight.double().abs().sum(0)
    torch.testing.assert_close(flow.gradients[0], behind[:, None].expand(4, 3).detach())
    before = net[0].weight.double().abs().sum(1) + net[0].bias.double().abs()
    torch.testing.assert_close(flow.gradients[1], before.expand(2, 4).detach())
    assert all((w >= 0).all() and w.dtype == torch.float64 for w in flow.weights)


def test_the_jacobian_of_a_linear_network_is_the_sum_of_its_rows() -> None:
    net = linear()
    rows = passes(net, "jacobian").jacobian
    torch.testing.assert_close(rows, net[0].weight.detach().sum(0).expand(3, 3))
    one = ProxyBatch((X[:1],), Y[:1])
    with pytest.raises(NotApplicableError, match="two or more, got one"):
        _ = passes(net, "jacobian", batch=one).jacobian


def test_units_come_with_the_gradients_of_their_outputs() -> None:
    net = linear()
    ((layer, output, gradient),) = passes(net, "units").units
    assert isinstance(layer, nn.Linear)
    torch.testing.assert_close(output, net(X).detach())
    torch.testing.assert_close(gradient, ((net(X).softmax(1) - nn.functional.one_hot(Y, 2)) / 3).detach())


def test_signs_are_those_of_what_enters_the_relu() -> None:
    net = two_layers()
    (signs,) = passes(net, "relu").forward.relu
    assert torch.equal(signs, net[0](X) > 0)


def test_one_pass_serves_all_and_values_do_not_depend_on_the_others() -> None:
    net = two_layers()
    alone, together = passes(net, "gradient"), passes(net, "gradient", "units", "relu", "jacobian")
    assert together.forward is together.forward
    for a, b in zip(alone.gradient.gradients, together.gradient.gradients, strict=True):
        assert torch.equal(a, b)


def test_flops_are_those_of_one_example() -> None:
    assert passes(two_layers(), "flops").flops == 3 * 4 + 4 * 2


def test_the_callers_network_is_left_alone() -> None:
    net = two_layers()
    before = [p.detach().clone() for p in net.parameters()]
    run = passes(net, "gradient", "synflow", "relu")
    _ = run.synflow, run.gradient, run.forward
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert net[1].inplace and all(p.grad is None for p in net.parameters())


def test_a_network_that_nobody_needs_is_taken_over() -> None:
    net = linear()
    _ = passes(net, "weights", "synflow", keep=False).synflow
    assert net[0].weight.dtype == torch.float64 and (net[0].weight >= 0).all()


class Broken(nn.Module):
    """Ignores its input, counts its calls, or returns what is not finite."""

    calls = 0  # of the class: the network is copied

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.layer = how, nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        Broken.calls += 1
        out = self.layer(x)
        return {"disconnected": out * 0 + self.layer.bias, "not finite": out / 0, "changing": out + Broken.calls}[
            self.how
        ]


@pytest.mark.parametrize(("how", "message"), [("not finite", "not finite"), ("changing", "not deterministic")])
def test_networks_without_a_value_are_refused(how: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        _ = passes(Broken(how), "gradient").gradient


def test_a_disconnected_network_is_undefined_and_says_so() -> None:
    run = passes(Broken("disconnected"), "gradient")
    assert run.disconnected
    with pytest.raises(UndefinedError):
        _ = run.gradient


def test_activations_in_place_are_switched_off() -> None:
    net = two_layers()
    assert without_inplace(net) is net and not net[1].inplace
