"""The second-order gradient against autograd through the inner step."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from gennas.testing.supernets import ToySpace, ToySupernet
from gennas.training.supernet.methods import DARTS, sgd_direction, unrolled_gradients

RATE = 0.1


@pytest.fixture
def problem():
    """A supernet of two slots in float64, its relaxation, and two losses."""
    torch.manual_seed(0)
    space = ToySpace(slots=2)
    supernet, darts = ToySupernet(space).double(), DARTS(space).double()
    with torch.no_grad():
        darts.alpha.normal_()
    x = torch.randn(2, 20, 4, dtype=torch.float64)
    y = torch.randint(3, (2, 20))

    def loss(part, weights=None):
        weights = weights or dict(supernet.named_parameters())
        logits = functional_call(supernet, weights, (x[part],), {"route": darts.route()})
        return torch.nn.functional.cross_entropy(logits, y[part])

    return supernet, darts, loss


def exact(supernet, darts, loss, direction=lambda gradients: gradients):
    names, weights = zip(*supernet.named_parameters(), strict=True)
    moved = direction(torch.autograd.grad(loss(0), weights, create_graph=True))
    stepped = {name: w - RATE * g for name, w, g in zip(names, weights, moved, strict=True)}
    return torch.autograd.grad(loss(1, stepped), darts.alpha)[0]


def found(supernet, darts, loss, radius=0.01, direction=None):
    weights = list(supernet.parameters())
    return unrolled_gradients([darts.alpha], weights, lambda: loss(0), lambda: loss(1), RATE, radius, direction)[0]


def test_error_is_small_and_falls_with_the_square_of_the_radius(problem):
    _, darts, loss = problem
    reference = exact(*problem)
    errors = [float((found(*problem, radius=r) - reference).abs().max()) for r in (0.1, 0.01)]
    assert errors[1] <= 1e-5
    assert 50 <= errors[0] / errors[1] <= 200
    first_order = torch.autograd.grad(loss(1), darts.alpha)[0]
    assert (first_order - reference).abs().max() > 100 * errors[1]  # the second order is worth computing


def test_weights_are_put_back_exactly_and_get_no_gradient(problem):
    supernet, darts, loss = problem
    before = [p.detach().clone() for p in supernet.parameters()]
    found(*problem)
    assert all(torch.equal(p, q) for p, q in zip(supernet.parameters(), before, strict=True))
    assert all(p.grad is None for p in supernet.parameters())

    def fails():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="memory"):
        unrolled_gradients([darts.alpha], list(supernet.parameters()), lambda: loss(0), fails, RATE)
    assert all(torch.equal(p, q) for p, q in zip(supernet.parameters(), before, strict=True))


def test_momentum_and_weight_decay_are_part_of_the_inner_step(problem):
    supernet, _, loss = problem
    weights = list(supernet.parameters())
    optimizer = torch.optim.SGD(weights, lr=RATE, momentum=0.9, weight_decay=0.1)
    loss(0).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)

    def direction(gradients):
        return [
            g + 0.1 * w + 0.9 * optimizer.state[w]["momentum_buffer"] for g, w in zip(gradients, weights, strict=True)
        ]

    reference = exact(*problem, direction)
    assert (found(*problem, direction=sgd_direction(optimizer, weights)) - reference).abs().max() <= 1e-5
    assert (found(*problem) - reference).abs().max() > 1e-4
