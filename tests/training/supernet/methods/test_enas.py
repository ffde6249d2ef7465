"""The controller: its gradient against enumeration, legality, and that it learns."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces import SPACES
from gennas.testing.supernets import ToySpace
from gennas.training.supernet.methods import ENAS, reinforce_loss


def flat_gradient(value: torch.Tensor, parameters: list[torch.nn.Parameter]) -> torch.Tensor:
    found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(parameters, found, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])


@pytest.mark.parametrize("slots", [1, 2])
def test_expected_reinforce_gradient_is_that_of_the_expected_reward(slots):
    """Over all actions: sum_a p_a (r_a - b) grad log p_a = grad sum_a p_a r_a, for any baseline b."""
    torch.manual_seed(0)
    enas = ENAS(ToySpace(slots), hidden=5).double()
    actions = torch.tensor(list(product(range(3), repeat=slots)))
    rewards = torch.randn(len(actions), dtype=torch.float64)
    _, log_prob, _, _ = enas.run(actions)
    p = log_prob.exp()
    assert p.sum().item() == pytest.approx(1.0, abs=1e-12)
    parameters = list(enas.parameters())
    exact = flat_gradient((p * rewards).sum(), parameters)
    for baseline in (0.0, 0.7):
        losses = [reinforce_loss(log_prob[[i]], rewards[[i]] - baseline) for i in range(len(p))]
        estimates = [-flat_gradient(loss, parameters) for loss in losses]
        expected = sum(float(q) * g for q, g in zip(p.detach(), estimates, strict=True))
        assert (expected - exact).abs().max() <= 1e-10
    assert exact.abs().max() > 1e-4


def test_entropy_and_marginals_agree_with_enumeration():
    torch.manual_seed(0)
    enas = ENAS(ToySpace(2), hidden=8)
    actions = torch.tensor(list(product(range(3), repeat=2)))
    with torch.no_grad():
        for p in enas.parameters():
            p.mul_(3)
        _, log_prob, total, _ = enas.run(actions)
        p = log_prob.exp()
        assert (p * total).sum().item() == pytest.approx(-(p * log_prob).sum().item(), abs=1e-5)
        marginals = torch.stack([torch.stack([p[actions[:, t] == k].sum() for k in range(3)]) for t in range(2)])
    state = torch.get_rng_state()
    assert (enas.probabilities() - marginals).abs().max() < 0.05
    assert torch.equal(torch.get_rng_state(), state)  # looking changes nothing


@pytest.mark.parametrize("name", ["darts", "autoformer-tiny", "nasbench201"])
def test_sampled_paths_are_legal(name):
    space = SPACES.get(name)()
    enas = ENAS(space, hidden=8)
    with torch.no_grad():
        D = enas.run(rows=50)[0].numpy().astype(np.int16)
        likeliest = np.array([enas.evaluation_route()], dtype=np.int16)
    for rows in (D, likeliest):
        assert space.is_valid(Population.from_decisions(space.schema, rows)).all()


def test_the_controller_finds_the_rewarded_path_and_keeps_a_baseline():
    torch.manual_seed(0)
    enas = ENAS(ToySpace(2), hidden=16, samples=4, decay=0.9)
    optimizer = torch.optim.Adam(enas.parameters(), lr=0.02)
    for _ in range(150):
        loss = enas.objective(lambda route: torch.tensor(float((route[0] != 1) + (route[1] != 2))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert enas.evaluation_route() == [1, 2]
    assert 0.5 < float(enas.baseline) <= 1.0  # rewards are exp(-loss): 1 on the path, .37 and .14 off it


def test_the_first_baseline_is_the_first_reward():
    enas = ENAS(ToySpace(1), decay=0.9)
    enas.objective(lambda route: torch.tensor(0.0))
    assert float(enas.baseline) == pytest.approx(1.0)
    enas.objective(lambda route: torch.tensor(np.log(2.0)))
    assert float(enas.baseline) == pytest.approx(0.95)


@pytest.mark.parametrize("options", [{"hidden": 0}, {"samples": 0}, {"decay": 1.0}, {"temperature": 0.0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        ENAS(ToySpace(1), **options)
