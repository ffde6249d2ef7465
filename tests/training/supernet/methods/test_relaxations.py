"""Gradients of the differentiable methods against closed forms, in float64, on one slot of three candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gennas import spaces
from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces import NASBench201
from gennas.spaces.parts import Choice, Routing, bind
from gennas.testing.supernets import ToySpace, mix
from gennas.training.supernet.methods import (
    DARTS,
    GDAS,
    PCDARTS,
    SADARTS,
    SNAS,
    BetaDARTS,
    DrNAS,
    FBNet,
    ProxylessNAS,
    dirichlet_kl,
    expected_cost,
)
from gennas.training.supernet.methods.probabilities import gumbel, gumbel_softmax, masked_softmax

ALPHA = torch.tensor([[0.3, -0.7, 0.1]], dtype=torch.float64)
EXACT = 1e-10


def set_alpha(relaxation: Any, alpha: torch.Tensor = ALPHA) -> Any:
    relaxation.double()
    with torch.no_grad():
        relaxation.alpha.copy_(alpha)
    return relaxation


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Inner products of ``a (b, c)`` with each of ``b (k, b, c)``."""
    return (a * b).flatten(1).sum(1)


def test_the_mixture_is_the_softmax_weighted_sum_exactly(slot, one_slot):
    darts = set_alpha(DARTS(one_slot))
    p = torch.softmax(ALPHA[0], 0)
    y = mix(slot.x, slot.candidates, darts.route()[0])
    assert (y - (p[:, None, None] * slot.outputs()).sum(0)).abs().max() <= EXACT


def test_first_order_gradient_of_darts(slot, one_slot):
    darts = set_alpha(DARTS(one_slot))
    found = slot.gradient(lambda: darts.route()[0], darts.alpha)[0]
    p, outputs = torch.softmax(ALPHA[0], 0), slot.outputs()
    y = (p[:, None, None] * outputs).sum(0)
    assert (found - p * inner(slot.upstream(y), outputs - y)).abs().max() <= EXACT
    assert found.abs().max() > 0.1


def test_labels_outside_the_mask_have_no_weight_and_no_gradient():
    alpha = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, False, True]])
    p = masked_softmax(alpha, mask)
    assert (p[~mask] == 0).all() and torch.allclose(p.sum(-1), torch.ones(2, dtype=torch.float64))
    (p**2).sum().backward()
    assert alpha.grad is not None
    assert (alpha.grad[~mask] == 0).all() and (alpha.grad[mask] != 0).all() and alpha.grad.isfinite().all()


# ------------------------------------------------------------------ GDAS


@pytest.mark.parametrize("gradient", ["full", "reference", "selected"])
def test_gdas_has_one_value_and_three_gradients(slot, one_slot, gradient):
    gdas = set_alpha(GDAS(one_slot, tau_start=2.0, gradient=gradient))
    noise = torch.tensor([[0.1, 0.9, -0.4]], dtype=torch.float64)
    tau = gdas.temperature(gdas.tau)
    q = gumbel_softmax(gdas.alpha, gdas.mask, tau, noise)
    k = int(q.argmax())
    y = mix(slot.x, slot.candidates, gdas.route_of(q)[0])
    outputs = slot.outputs()
    assert tau == 2.0 and torch.equal(y, outputs[k])
    found = torch.autograd.grad(slot.loss(y), gdas.alpha)[0][0]
    G = slot.upstream(y)
    c = inner(G, outputs)
    if gradient == "reference":
        c = torch.where(torch.arange(3) == k, c, G.sum())
    if gradient == "selected":
        c = torch.where(torch.arange(3) == k, c, torch.zeros_like(c))
    p = q.detach()[0]
    J = (torch.diag(p) - torch.outer(p, p)) / tau
    assert (found - J @ c).abs().max() <= EXACT


def test_gdas_calls_one_candidate_and_cools_linearly():
    gdas = GDAS(NASBench201(), tau_start=10.0, tau_end=0.1)
    assert all(isinstance(entry, dict) and len(entry) == 1 for entry in gdas.route())
    assert all(isinstance(entry, int) for entry in gdas.weight_route())
    gdas.progress = 0.5
    assert gdas.temperature(gdas.tau) == pytest.approx(5.05)


@pytest.mark.parametrize("name", ["autoformer-tiny", "nasbench-macro", "gpt-s"])
def test_sampled_sizes_are_legal_together(name):
    space = spaces.SPACES.get(name)()
    gdas = GDAS(space)
    rows = [gdas.weight_route() for _ in range(30)] + [gdas.evaluation_route()]
    rows += [[next(iter(entry)) for entry in gdas.route()]]
    D = np.array(rows, dtype=np.int16)
    assert space.is_valid(Population.from_decisions(space.schema, D)).all()


def test_one_drawn_path_follows_the_probabilities():
    torch.manual_seed(0)
    proxyless = set_alpha(ProxylessNAS(ToySpace(slots=1)))
    drawn = torch.tensor([proxyless.weight_route()[0] for _ in range(4000)])
    share = torch.bincount(drawn, minlength=3) / len(drawn)
    assert (share - torch.softmax(ALPHA[0], 0)).abs().max() < 4 * 0.5 / 4000**0.5


def test_the_largest_of_a_relaxed_sample_follows_the_probabilities():
    torch.manual_seed(0)
    alpha = ALPHA.repeat(20_000, 1)
    chosen = gumbel_softmax(alpha, torch.ones_like(alpha, dtype=torch.bool), 1.0).argmax(-1)
    share = torch.bincount(chosen, minlength=3) / len(chosen)
    assert (share - torch.softmax(ALPHA[0], 0)).abs().max() < 4 * 0.5 / 20_000**0.5
    assert gumbel(torch.empty(100_000)).mean() == pytest.approx(0.5772, abs=0.02)  # Euler's constant


# ------------------------------------------------------------------ SNAS and DrNAS


def test_snas_gradient_of_one_sample(slot, one_slot):
    snas = set_alpha(SNAS(one_slot, tau_start=0.7))
    torch.manual_seed(5)
    found = slot.gradient(lambda: snas.route()[0], snas.alpha)[0]
    torch.manual_seed(5)
    z, outputs = snas.route()[0].detach(), slot.outputs()
    y = (z[:, None, None] * outputs).sum(0)
    assert (found - z * inner(slot.upstream(y), outputs - y) / 0.7).abs().max() <= EXACT


def test_drnas_pathwise_gradient_of_a_linear_function():
    """f = c . theta has the mean c . beta / S, whose gradient is known."""
    torch.manual_seed(0)
    n, c = 200_000, torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    drnas = set_alpha(DrNAS(ToySpace(slots=1)))
    beta = torch.tensor([0.8, 1.5, 2.2], dtype=torch.float64)
    samples = beta.repeat(n, 1).requires_grad_()
    drnas.mask = torch.ones(n, 3, dtype=torch.bool)
    drnas.concentrations = lambda: samples
    theta = drnas.sample()
    gradients = torch.autograd.grad((theta @ c).sum(), samples)[0]
    S = beta.sum()
    exact = c / S - (c @ beta) / S**2
    error = gradients.std(0) / n**0.5
    assert ((gradients.mean(0) - exact).abs() <= 3 * error).all() and error.max() < 2e-3
    assert (theta.mean(0) - beta / S).abs().max() < 5e-3 and torch.allclose(theta.sum(1), torch.ones(n).double())


def test_drnas_divergence_is_that_of_pytorch_and_concentrations_are_elu_plus_one():
    drnas = set_alpha(DrNAS(ToySpace(slots=1), kl_weight=0.5))
    beta = torch.nn.functional.elu(ALPHA) + 1
    assert (drnas.concentrations() - beta).abs().max() <= EXACT
    Dirichlet = torch.distributions.Dirichlet
    exact = torch.distributions.kl_divergence(Dirichlet(beta[0]), Dirichlet(torch.ones(3, dtype=torch.float64)))
    assert abs(drnas.penalty() - 0.5 * exact) <= EXACT
    mask = torch.tensor([[True, True, False]])
    partial = dirichlet_kl(beta * mask, mask)[0]
    exact = torch.distributions.kl_divergence(Dirichlet(beta[0, :2]), Dirichlet(torch.ones(2, dtype=torch.float64)))
    assert abs(partial - exact) <= EXACT


# ------------------------------------------------------------------ regularisers


def test_sa_darts_gradient_is_a_sigmoid(one_slot):
    sa = set_alpha(SADARTS(one_slot, weight=0.8))
    sa.progress = 0.5
    found = torch.autograd.grad(sa.penalty(), sa.alpha)[0]
    assert (found - 0.4 * torch.sigmoid(ALPHA)).abs().max() <= EXACT
    sa.progress = 0.0
    assert sa.penalty().item() == 0.0


def test_beta_darts_gradient_is_a_softmax_over_the_slots():
    space = ToySpace(slots=2)
    alpha = torch.tensor([[0.3, -0.7, 0.1], [1.0, 0.0, -1.0]], dtype=torch.float64)
    beta = set_alpha(BetaDARTS(space, weight=3.0), alpha)
    beta.progress = 1.0
    found = torch.autograd.grad(beta.penalty(), beta.alpha)[0]
    assert (found - 3.0 * torch.softmax(alpha, -1) / 2).abs().max() <= EXACT


# ------------------------------------------------------------------ PC-DARTS


class Called(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_pc_darts_gradients_of_both_kinds_of_parameters():
    """Two edges into one node, a quarter of eight channels mixed."""
    torch.manual_seed(0)
    k, channels = 4, 8
    x = torch.randn(2, 3, channels, 5, dtype=torch.float64)  # of each edge
    maps = torch.randn(2, 2, 2, 2, dtype=torch.float64)
    candidates = [[lambda z, e=e: torch.einsum("oc,bcl->bol", maps[e, 0], z), torch.tanh, lambda z: z] for e in (0, 1)]
    target = torch.randn(3, channels, 5, dtype=torch.float64)
    alpha = torch.tensor([[0.3, -0.7, 0.1], [1.0, 0.0, -1.0]], dtype=torch.float64)
    space = ToySpace(slots=2)
    pc = set_alpha(PCDARTS(space), alpha)
    pc.groups = torch.tensor([0, 0])  # both lead into one node
    with torch.no_grad():
        pc.beta.copy_(torch.tensor([0.4, -0.2]))
    routing, M = Routing(space.schema.decision_mask), []
    routing.follow(pc.route())
    for e in (0, 1):
        choice = Choice(e, dict(enumerate(map(Called, candidates[e]))), partial=k)
        bind(choice, routing)
        M.append(choice(x[e]))
    y = M[0] + M[1]
    loss = (torch.sin(y) * target + y**2).sum()
    found_alpha, found_beta = torch.autograd.grad(loss, [pc.alpha, pc.beta])

    G = torch.cos(y.detach()) * target + 2 * y.detach()
    b, p = torch.softmax(pc.beta.detach(), 0), torch.softmax(alpha, -1)
    shuffled = torch.arange(8).view(k, -1).T.flatten()  # dealt round
    unshuffled = torch.empty_like(G)
    unshuffled[:, shuffled] = G
    for e in (0, 1):
        assert abs(found_beta[e] - b[e] * (G * (M[e].detach() / b[e] - y.detach())).sum()) <= EXACT
        o = torch.stack([f(x[e, :, : channels // k]) for f in candidates[e]])
        mean = (p[e][:, None, None, None] * o).sum(0)
        assert (found_alpha[e] - b[e] * p[e] * inner(unshuffled[:, : channels // k], o - mean)).abs().max() <= EXACT


def test_edges_into_a_node_share_their_weights():
    pc = PCDARTS(NASBench201())
    b = pc.edge_weights()
    assert torch.allclose(b[[0]].sum() + b[[1, 2]].sum() + b[[3, 4, 5]].sum(), torch.tensor(3.0))
    assert (b[1] + b[2]).item() == pytest.approx(1.0) and b[0].item() == 1.0
    assert (PCDARTS(ToySpace(slots=3)).edge_weights() == 1).all()  # decisions that are nodes


# ------------------------------------------------------------------ ProxylessNAS


def test_proxyless_gradient_goes_through_the_probabilities_of_the_pair(slot, one_slot):
    proxyless = set_alpha(ProxylessNAS(one_slot))
    torch.manual_seed(1)
    entry = proxyless.route()[0]
    pair = list(entry)
    outputs = slot.outputs()
    chosen = [k for k, gate in entry.items() if gate == 1]
    y = mix(slot.x, slot.candidates, entry)
    assert len(pair) == 2 and len(chosen) == 1 and torch.equal(y, outputs[chosen[0]])
    found = torch.autograd.grad(slot.loss(y), proxyless.alpha)[0][0]
    p = torch.softmax(ALPHA[0, pair], 0)
    c = inner(slot.upstream(y), outputs[pair])
    exact = torch.zeros(3, dtype=torch.float64)
    exact[pair] = (torch.diag(p) - torch.outer(p, p)) @ c
    assert (found - exact).abs().max() <= EXACT and abs(found.sum()) <= EXACT


def test_proxyless_leaves_the_probabilities_of_the_others_alone():
    space = NASBench201()
    alpha = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    proxyless = set_alpha(ProxylessNAS(space), alpha)
    before, route = proxyless.probabilities().detach(), proxyless.route()
    with torch.no_grad():
        proxyless.alpha.add_(torch.randn(6, 5, dtype=torch.float64))  # whatever an optimiser does
    proxyless.settle({"alpha": alpha})
    after = proxyless.probabilities().detach()
    for t, entry in enumerate(route):
        others = [k for k in range(5) if k not in entry]
        assert (after[t, others] - before[t, others]).abs().max() <= EXACT
        assert (after[t, list(entry)] - before[t, list(entry)]).abs().max() > 1e-3


def test_expected_latency_of_proxyless_adds_its_gradient(one_slot):
    table = torch.tensor([[3.0, 7.0, 1.0]], dtype=torch.float64)
    proxyless = set_alpha(ProxylessNAS(one_slot, table=table, cost_weight=0.5))
    found = torch.autograd.grad(proxyless.penalty(), proxyless.alpha)[0]
    p = torch.softmax(ALPHA, -1)
    assert (found - 0.5 * p * (table - (p * table).sum())).abs().max() <= EXACT


# ------------------------------------------------------------------ FBNet


def test_fbnet_latency_gradient_is_the_table_and_reaches_alpha(one_slot):
    table = torch.tensor([[30.0, 70.0, 10.0]], dtype=torch.float64)
    fbnet = set_alpha(FBNet(one_slot, table=table, base=5.0, tau_start=0.9))
    torch.manual_seed(2)
    loss = fbnet.objective(lambda route: torch.tensor(1.7, dtype=torch.float64))
    found = torch.autograd.grad(loss, fbnet.alpha)[0]
    torch.manual_seed(2)
    m = fbnet.route()[0].detach()
    latency = 5.0 + (m * table[0]).sum()
    assert fbnet.last_latency == pytest.approx(float(latency), abs=1e-12)
    weight = 1.7 * 0.2 * 0.6 * latency.log() ** (-0.4) / latency
    assert (found[0] - weight * m * (table[0] - (m * table[0]).sum()) / 0.9).abs().max() <= EXACT
    free = m.clone().requires_grad_()
    assert torch.equal(torch.autograd.grad(expected_cost(free[None], fbnet.table), free)[0], table[0])


def test_fbnet_refuses_what_has_no_logarithm_above_zero(one_slot):
    with pytest.raises(ConfigError, match="table of latencies"):
        FBNet(one_slot)
    with pytest.raises(ConfigError, match="smaller unit"):
        FBNet(one_slot, table=torch.tensor([[0.3, 0.7, 0.1]]))
    with pytest.raises(ConfigError, match=r"table of \(1, 3\)"):
        FBNet(one_slot, table=torch.ones(2, 3))
    with pytest.raises(ConfigError, match="1 are not finite"):
        ProxylessNAS(one_slot, table=torch.tensor([[1.0, float("nan"), 2.0]]))


# ------------------------------------------------------------------ all of them


@pytest.mark.parametrize("space", [NASBench201(), spaces.DARTS(num_cells=3)], ids=["nasbench201", "darts"])
@pytest.mark.parametrize("method", [DARTS, GDAS, SNAS, DrNAS, PCDARTS, SADARTS, BetaDARTS, ProxylessNAS])
def test_routes_stay_inside_the_mask_and_probabilities_add_up(method, space):
    relaxation = method(space)
    mask = torch.from_numpy(np.array(space.schema.decision_mask))
    p = relaxation.probabilities()
    assert torch.allclose(p.sum(-1), torch.ones(len(p))) and (p[~mask] == 0).all()
    for route in (relaxation.route(), relaxation.weight_route(), relaxation.evaluation_route()):
        assert len(route) == space.schema.num_decisions
        for t, entry in enumerate(route):
            symbols = [entry] if isinstance(entry, int) else list(entry) if isinstance(entry, dict) else []
            assert all(mask[t, symbol] for symbol in symbols)
            if isinstance(entry, torch.Tensor):
                assert (entry[~mask[t]] == 0).all() and entry.isfinite().all()
    weights = [e for e in relaxation.weight_route() if isinstance(e, torch.Tensor)]
    assert not any(w.requires_grad for w in weights)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (GDAS, {"tau_end": 0.0}),
        (GDAS, {"gradient": "all"}),
        (SNAS, {"tau_start": -1.0}),
        (DrNAS, {"kl_weight": -1.0}),
        (SADARTS, {"weight": -1.0}),
        (BetaDARTS, {"weight": float("nan")}),
        (ProxylessNAS, {"cost_weight": -0.1}),
    ],
)
def test_settings_out_of_range_are_refused(method, options, one_slot):
    with pytest.raises(ConfigError):
        method(one_slot, **options)
