from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.models.diffusion import CategoricalScheduler
from gennas.models.diffusion.scheduler import draw

T = 5
MASK = torch.tensor([[True, True, True], [True, False, True]])
KERNELS = ["absorbing", "uniform", "marginal"]


def make(kernel: str) -> tuple[CategoricalScheduler, torch.Tensor]:
    """A scheduler and its pi (d, S) in float64 for two slots of three labels."""
    scheduler = CategoricalScheduler(T, "absorbing" if kernel == "absorbing" else "uniform")
    marginals = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.0, 0.3]], dtype=torch.float64)
    return scheduler, scheduler.stationary(MASK, marginals if kernel == "marginal" else None).double()


def chain(scheduler: CategoricalScheduler, pi: torch.Tensor, s: int, t: int) -> np.ndarray:
    """Q_{s+1} ... Q_t of one slot as an explicit product of (S, S) matrices; rows: from."""
    product = np.eye(len(pi))
    for i in range(s + 1, t + 1):
        keep = float(scheduler.alpha_bar[i] / scheduler.alpha_bar[i - 1])
        product = product @ (keep * np.eye(len(pi)) + (1 - keep) * np.outer(np.ones(len(pi)), pi.numpy()))
    return product


def test_alpha_bar_runs_from_one_to_zero_along_a_cosine() -> None:
    alpha_bar = CategoricalScheduler(4).alpha_bar
    torch.testing.assert_close(
        alpha_bar, torch.tensor([1.0, 0.8535533905932737, 0.5, 0.1464466094067262, 0.0]).double()
    )


def test_stationary_distributions() -> None:
    pi = make("absorbing")[1]
    assert pi.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]
    torch.testing.assert_close(
        CategoricalScheduler(T, "uniform").stationary(MASK),
        torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0], [0.5, 0, 0.5, 0]]),
    )
    pi = make("marginal")[1]
    torch.testing.assert_close(pi[1], torch.tensor([0.69, 0.0, 0.31, 0.0]).double())


@pytest.mark.parametrize("kernel", KERNELS)
def test_corruption_is_the_product_of_the_steps(kernel: str) -> None:
    scheduler, pi = make(kernel)
    x0 = torch.tensor([[1, 2], [2, 0]])
    for t in range(T + 1):
        got = scheduler.q_t(x0, t, pi)
        for row, slot in itertools.product(range(2), range(2)):
            want = chain(scheduler, pi[slot], 0, t)[x0[row, slot]]
            np.testing.assert_allclose(got[row, slot].numpy(), want, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("s", "t"), [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (0, 5), (4, 5)])
def test_posterior_and_reverse_agree_with_enumeration(kernel: str, s: int, t: int) -> None:
    scheduler, pi = make(kernel)
    generator = torch.Generator().manual_seed(0)
    p0 = torch.rand(1, 2, 3, generator=generator, dtype=torch.float64) * MASK
    p0 = p0 / p0.sum(-1, keepdim=True)
    for slot in range(2):
        to_s, between = chain(scheduler, pi[slot], 0, s), chain(scheduler, pi[slot], s, t)
        to_t = to_s @ between
        for now in range(4):
            mixture, weight = np.zeros(4), 0.0
            for x0 in np.flatnonzero(MASK[slot]):
                if to_t[x0, now] == 0:
                    continue
                want = to_s[x0] * between[:, now] / to_t[x0, now]
                mixture += float(p0[0, slot, x0]) * want
                weight += float(p0[0, slot, x0])
                start, state = torch.full((1, 2), int(x0)), torch.full((1, 2), now)
                got = scheduler.posterior(start, state, s, t, pi)[0, slot]
                np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-15)
            if weight:
                got = scheduler.reverse(p0, torch.full((1, 2), now), s, t, pi)[0, slot]
                np.testing.assert_allclose(got.numpy(), mixture / weight, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
def test_clean_distribution_is_bayes_rule(kernel: str) -> None:
    scheduler, pi = make(kernel)
    logits = torch.tensor([[[0.3, -0.7, 1.1]]], dtype=torch.float64)
    prior = logits.softmax(-1).numpy()[0, 0]
    to_t = chain(scheduler, pi[0], 0, 3)
    for now in np.flatnonzero(prior @ to_t[:3] > 0):
        want = prior * to_t[:3, now] / (prior @ to_t[:3, now])
        got = scheduler.clean(logits, torch.tensor([[int(now)]]), 3, pi[:1])[0, 0]
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_bound_holds_and_is_the_enumerated_one(kernel: str) -> None:
    """For one slot and a fixed denoiser table, the summed terms bound the enumerated likelihood."""
    scheduler, pi = make(kernel)
    pi = pi[:1]
    steps = scheduler.timesteps_for(3)
    generator = torch.Generator().manual_seed(1)
    table = torch.rand(T + 1, 4, 3, generator=generator, dtype=torch.float64).softmax(-1)

    def back(t: int, s: int) -> np.ndarray:  # rows: x_t
        rows = [scheduler.reverse(table[t, x][None, None], torch.tensor([[x]]), s, t, pi)[0, 0] for x in range(4)]
        return torch.stack(rows).numpy()

    p = pi[0].numpy()
    for t, s in steps:
        reachable = p > 0
        p = p[reachable] @ back(t, s)[reachable]
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-6)
    for x0 in range(3):
        bound = 0.0
        for t, s in steps:
            q = scheduler.q_t(torch.tensor([[x0]]), t, pi)[0, 0]
            for x_t in np.flatnonzero(q.numpy() > 0):
                state = torch.tensor([[int(x_t)]])
                term = scheduler.bound_term(table[t, x_t][None, None], torch.tensor([[x0]]), state, s, t, pi)
                bound += float(q[x_t]) * float(term[0])
        assert bound >= -np.log(p[x0]) - 1e-9
        if kernel == "absorbing":  # one slot: the path is the moment of unmasking
            direct = -sum(
                float(scheduler.alpha_bar[s] - scheduler.alpha_bar[t]) * np.log(float(table[t, 3, x0]))
                for t, s in steps
            )
            assert bound == pytest.approx(direct, rel=1e-6)


def test_times_of_few_step_samplers() -> None:
    scheduler = CategoricalScheduler(50)
    assert scheduler.timesteps_for(5) == [(50, 40), (40, 30), (30, 20), (20, 10), (10, 0)]
    assert scheduler.timesteps_for(50)[-1] == (1, 0)
    scheduler.set_timesteps(2)
    assert scheduler.timesteps == [(50, 25), (25, 0)]
    with pytest.raises(ConfigError, match="between 1 and 50"):
        scheduler.timesteps_for(51)


def test_noise_has_the_stated_frequencies() -> None:
    scheduler, pi = make("uniform")
    x0 = torch.tensor([[1, 2]]).expand(20_000, 2)
    x_t = scheduler.add_noise(x0, 3, pi, torch.Generator().manual_seed(0))
    want = scheduler.q_t(x0[:1], 3, pi)[0]
    got = torch.stack([(x_t == label).double().mean(0) for label in range(4)], -1)
    torch.testing.assert_close(got, want, atol=0.01, rtol=0)


def test_draw_never_takes_a_state_of_weight_zero() -> None:
    weights = torch.tensor([0.0, 2.0, 0.0, 6.0, 0.0]).expand(40_000, 5)
    counts = draw(weights, torch.Generator().manual_seed(0)).bincount(minlength=5) / 40_000
    torch.testing.assert_close(counts, torch.tensor([0.0, 0.25, 0.0, 0.75, 0.0]), atol=0.01, rtol=0)
    assert counts[[0, 2, 4]].sum() == 0


def test_bad_settings_are_refused(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="kernel"):
        CategoricalScheduler(10, "gaussian")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one"):
        CategoricalScheduler(0)


def test_configuration_round_trip(tmp_path) -> None:
    CategoricalScheduler(17, "uniform").save_pretrained(tmp_path)
    loaded = CategoricalScheduler.from_pretrained(tmp_path)
    assert (loaded.num_steps, loaded.kernel) == (17, "uniform")
