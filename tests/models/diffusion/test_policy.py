"""The log-probability of denoising steps against enumeration, frequencies and finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare

from gennas.graph import GraphSchema, Population
from gennas.models.diffusion import (
    ArchitectureDiffusionPipeline,
    CategoricalScheduler,
    GraphDenoiser,
    Transitions,
    chain_transitions,
    renoised_transitions,
    sample_chain,
    step_log_probs,
)
from gennas.models.diffusion.policy import step_divergence


@pytest.fixture
def pair() -> GraphSchema:
    """Two free nodes of two labels on a fixed edge: d = 2, L = 2, nine states with the absorbing one."""
    edges = np.zeros((2, 2, 2), dtype=bool)
    edges[..., 0] = True
    edges[0, 1] = [False, True]
    return GraphSchema("pair", ("a", "b"), ("none", "next"), np.ones((2, 2), dtype=bool), edges)


def not_both_b(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
    legal = np.ones((len(D), 2), dtype=bool)
    if t == 1:
        legal[:, 1] = D[:, 0] == 0
    return legal


def make(schema: GraphSchema, kernel: str, T: int) -> ArchitectureDiffusionPipeline:
    torch.manual_seed(1)
    denoiser = GraphDenoiser.for_schema(schema, dim=8, num_layers=1, num_heads=2, timed=kernel != "absorbing").eval()
    torch.nn.init.normal_(denoiser.head.weight, std=0.7)
    return ArchitectureDiffusionPipeline(denoiser, CategoricalScheduler(T, kernel))


def all_chains(kernel: str, T: int) -> tuple[torch.Tensor, Transitions]:
    """Every chain x_T ... x_0 over two slots, as steps, and the prior's probability of its start."""
    states = list(itertools.product(range(3) if kernel == "absorbing" else range(2), repeat=2))
    clean = [(0, 0), (0, 1), (1, 0)]
    first = [(2, 2)] if kernel == "absorbing" else states
    chains = torch.tensor(list(itertools.product(first, *[states] * (T - 1), clean)))  # (n, T + 1, d)
    n = len(chains)
    legal = torch.ones(n * T, 2, 2, dtype=torch.bool)
    legal[-n:, 1, 1] = chains[:, -1, 0] == 0
    t = torch.arange(T, 0, -1).repeat_interleave(n)
    steps = [chains[:, :-1].transpose(0, 1).flatten(0, 1), chains[:, 1:].transpose(0, 1).flatten(0, 1)]
    return chains, Transitions(*steps, t, t - 1, legal, torch.arange(n).repeat(T))


def chain_log_probs(pipeline: ArchitectureDiffusionPipeline, kernel: str, T: int) -> tuple[torch.Tensor, torch.Tensor]:
    chains, steps = all_chains(kernel, T)
    log_p = step_log_probs(pipeline.denoiser, pipeline.scheduler, steps)[0].reshape(T, -1).sum(0)
    return chains, log_p - (0 if kernel == "absorbing" else np.log(4))


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_chains_are_drawn_as_often_as_they_are_probable(pair: GraphSchema, kernel: str) -> None:
    """The probabilities of all chains sum to 1, and the sampler's frequencies agree with them."""
    pipeline = make(pair, kernel, T=3)
    with torch.no_grad():
        chains, log_p = chain_log_probs(pipeline, kernel, 3)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-6)
    n = 20_000
    drawn, walked = sample_chain(pipeline, n, 3, torch.Generator().manual_seed(0), not_both_b)
    steps = chain_transitions(pipeline, walked, 3, not_both_b)
    assert (steps.x_s[-n:].numpy() == drawn.decisions).all() and (steps.t[:n] == 3).all() and len(steps) == 3 * n
    base = 3 ** torch.arange(8)
    code, names = ((c.flatten(1) * base).sum(1) for c in (chains, torch.from_numpy(walked).long().transpose(0, 1)))
    counts = (names[:, None] == code[None]).sum(0).numpy()
    assert counts.sum() == n
    expected = log_p.exp().numpy() * n
    often = expected > 5
    rest = [counts[~often].sum()], [expected[~often].sum()]
    observed, wanted = np.r_[counts[often], rest[0]], np.r_[expected[often], rest[1]] + 1e-9
    assert chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-3


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_gradients_agree_with_finite_differences(pair: GraphSchema, kernel: str) -> None:
    pipeline = make(pair, kernel, T=2)
    _, steps = all_chains(kernel, 2)
    steps = steps[torch.arange(0, len(steps), 5)]
    bias = pipeline.denoiser.head.bias
    step_log_probs(pipeline.denoiser, pipeline.scheduler, steps)[0].sum().backward()
    for i in range(2):  # node labels
        values = []
        for shift in (1e-2, -1e-2):
            with torch.no_grad():
                bias[i] += shift
                values.append(step_log_probs(pipeline.denoiser, pipeline.scheduler, steps)[0].sum().item())
                bias[i] -= shift
        assert bias.grad[i].item() == pytest.approx((values[0] - values[1]) / 2e-2, rel=2e-3, abs=1e-3)
    assert bias.grad[:2].abs().sum() > 0.1


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_the_score_function_estimates_the_gradient_of_the_mean_reward(pair: GraphSchema, kernel: str) -> None:
    """Enumerated: d/dtheta sum p(chain) R(x_0) = sum p(chain) R(x_0) d/dtheta log p(chain)."""
    pipeline = make(pair, kernel, T=2)
    chains, log_p = chain_log_probs(pipeline, kernel, 2)
    reward = chains[:, -1].double() @ torch.tensor([1.0, -2.0]).double()
    weights = list(pipeline.denoiser.parameters())
    exact = torch.autograd.grad((log_p.exp() * reward).sum(), weights, retain_graph=True, allow_unused=True)
    estimate = torch.autograd.grad((log_p.exp().detach() * reward * log_p).sum(), weights, allow_unused=True)
    for a, b in zip(exact, estimate, strict=True):
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_renoised_steps_end_in_the_architectures_and_begin_in_noise(mixed: GraphSchema, kernel: str) -> None:
    pipeline = make(mixed, kernel, T=8)
    D = np.array([[1, 0, 2, 1], [2, 2, 0, 0]])
    archs = Population.from_decisions(mixed, np.tile(D, (2000, 1)))
    steps = renoised_transitions(pipeline, archs, 4, torch.Generator().manual_seed(0))
    n = len(archs)
    assert len(steps) == 4 * n and (steps.x_s[-n:].numpy() == archs.decisions).all()
    assert (steps.x_t[n:] == steps.x_s[:-n]).all() and (steps.index == torch.arange(n).repeat(4)).all()
    assert steps.t.reshape(4, n)[:, 0].tolist() == [8, 6, 4, 2]
    kept = (steps.x_t.reshape(4, n, 4) == steps.x_s[-n:]).double().mean((1, 2))
    # cos^2(pi t / 2 T), plus what noise hits by chance: 1/2 of the node's labels, 1/3 of the edges'
    alpha, chance = np.cos(np.pi / 2 * np.array([1, 0.75, 0.5, 0.25])) ** 2, 0.0 if kernel == "absorbing" else 0.375
    np.testing.assert_allclose(kept, alpha + (1 - alpha) * chance, atol=0.015)


def test_the_sum_over_renoised_steps_is_the_likelihood_bound(mixed: GraphSchema) -> None:
    """Up to the forward process's entropy, which is known for independent masking: compare two models."""
    one, two = make(mixed, "absorbing", 8), make(mixed, "absorbing", 8)
    torch.nn.init.zeros_(two.denoiser.head.weight)
    archs = Population.from_decisions(mixed, np.tile([[1, 0, 2, 1]], (4000, 1)))
    steps = renoised_transitions(one, archs, 4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        sums = [step_log_probs(p.denoiser, p.scheduler, steps)[0].sum().item() / 4000 for p in (one, two)]
    bounds = [p.elbo(archs, num_steps=4, generator=torch.Generator().manual_seed(1)).mean() for p in (one, two)]
    assert sums[0] - sums[1] == pytest.approx(bounds[1] - bounds[0], abs=0.03)
    assert abs(bounds[1] - bounds[0]) > 0.1


def test_divergence_of_two_coins() -> None:
    log_p, log_q = (torch.tensor([[[p, 1 - p]]]).log() for p in (0.25, 0.5))
    assert step_divergence(log_p, log_q).item() == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))
    assert step_divergence(log_p, log_p).item() == 0
