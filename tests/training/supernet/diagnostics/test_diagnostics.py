"""Figures about supernets against values that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.eval.correlation import kendall
from gennas.spaces import SPACES, NASBench201
from gennas.testing.supernets import ToySpace, ToySupernet
from gennas.training.supernet.diagnostics import (
    CollapseMonitor,
    PathCounts,
    decision_entropies,
    discrete_skip_share,
    discretisation_gap,
    largest_curvature,
    mean_entropy,
    rank_inherited,
    skip_mask,
    skip_share,
)
from gennas.training.supernet.methods import DARTS

# ------------------------------------------------------------------ curvature


def test_the_largest_eigenvalue_of_a_supernet_is_that_of_the_dense_hessian():
    torch.manual_seed(0)
    supernet, darts = ToySupernet(ToySpace(2)).double(), DARTS(ToySpace(2)).double()
    x, y = torch.randn(20, 4, dtype=torch.float64), torch.randint(3, (20,))

    def loss(alpha):
        return torch.nn.functional.cross_entropy(supernet(x, route=list(torch.unbind(torch.softmax(alpha, -1)))), y)

    dense = torch.autograd.functional.hessian(loss, darts.alpha.detach()).reshape(6, 6)
    eigenvalues = torch.linalg.eigvalsh(dense)
    exact = eigenvalues[eigenvalues.abs().argmax()]
    found = largest_curvature(lambda: loss(darts.alpha), [darts.alpha], iterations=2000, tolerance=1e-12)
    assert found.value == pytest.approx(float(exact), abs=1e-10) and found.residual < 1e-5


def test_the_sign_of_a_negative_spectrum_is_kept_and_parameters_count_together():
    a, b = (torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in (2, 1))
    found = largest_curvature(lambda: a[0] ** 2 - 4 * a[1] ** 2 + 3 * b[0] ** 2, [a, b], iterations=200)
    assert found.value == pytest.approx(-8.0, abs=1e-6)
    assert largest_curvature(lambda: a.sum(), [a]).value == 0.0  # no curvature at all
    before = torch.get_rng_state()
    largest_curvature(lambda: (a**2).sum(), [a])
    assert torch.equal(torch.get_rng_state(), before)


# ------------------------------------------------------------------ shares


def test_skips_are_found_by_name_and_their_share_is_their_probability():
    schema = NASBench201().schema
    assert skip_mask(schema).sum() == 6 and skip_mask(schema)[:, 1].all()
    p = torch.full((6, 5), 0.1)
    p[:, 1] = 0.6
    assert skip_share(p, schema) == pytest.approx(0.6)
    assert discrete_skip_share(np.array([0, 1, 1, 3, 0, 2]), schema) == pytest.approx(2 / 4)
    assert discrete_skip_share(np.zeros(6, dtype=int), schema) == 0.0
    gpt = SPACES.get("gpt-s")().schema
    assert skip_share(torch.full((27, 15), 1 / 15), gpt) == 0.0


def test_entropy_of_sure_and_of_uniform_decisions():
    assert mean_entropy(torch.eye(4)) == 0.0
    assert mean_entropy(torch.full((3, 5), 0.2)) == pytest.approx(math.log(5), abs=1e-6)


# ------------------------------------------------------------------ counts, gap, ranking


def test_counts_of_paths_mixtures_and_samples():
    counts = PathCounts(SPACES.get("ofa")().schema)
    d, labels = counts.mask.shape
    first = counts.mask.int().argmax(1).tolist()
    counts.add([first])
    assert counts.table.sum() == d and counts.fairness == 0.0
    counts.add([[torch.ones(labels)] * d])
    assert (counts.table[counts.mask] >= 1).all() and counts.table[~counts.mask].sum() == 0
    assert counts.fairness == pytest.approx(0.5)
    counts.add([[{k: torch.tensor(1.0), -1: torch.tensor(0.0)} for k in first]])
    assert counts.fairness == pytest.approx(1 / 3)


def test_the_gap_is_what_one_path_loses():
    found = discretisation_gap({"mixture": 0.9, "path": 0.6}.__getitem__, "mixture", "path")
    assert (found.relaxed, found.discrete) == (0.9, 0.6) and found.gap == pytest.approx(0.3)


def test_rank_correlation_comes_with_intervals_and_with_what_it_has_to_beat():
    rng = np.random.default_rng(0)
    alone = rng.normal(size=100)
    inherited, sizes = alone + rng.normal(size=100), alone + 3 * rng.normal(size=100)
    found = rank_inherited(inherited, alone, sizes, alone + 0.1 * rng.normal(size=100))
    assert (
        found.tau.value == pytest.approx(kendall(inherited, alone)) and found.tau.low < found.tau.value < found.tau.high
    )
    assert found.tau_parameters is not None and found.tau_parameters.value < found.tau.value
    assert found.tau_ceiling is not None and found.tau_ceiling.value > 0.8
    assert "parameters" in str(found) and "over 100 architectures" in str(found)
    alone_only = rank_inherited(inherited, alone)
    assert alone_only.tau == found.tau and alone_only.tau_parameters is None
    with pytest.raises(ConfigError, match="three rows"):
        rank_inherited([1, 2], [1, 2])


# ------------------------------------------------------------------ collapse


def test_the_monitor_fires_when_the_smoothed_eigenvalue_grows_quickly():
    monitor = CollapseMonitor(skip_limit=None, ratio=0.75, window=3)
    steady = [monitor.update(0.9, value) for value in [1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0]]
    assert not any(steady) and not monitor.reason
    grown = [monitor.update(0.1, value) for value in [1.5, 2.0, 3.0, 0.1]]
    assert grown == [False, True, True, True]  # means .983, 1.15, 1.5: .983 / 1.5 < .75; it stays
    assert "grew" in monitor.reason


def test_falling_and_negative_eigenvalues_do_not_count():
    monitor = CollapseMonitor(skip_limit=None, window=2)
    assert not any(monitor.update(0.9, value) for value in [3.0, 2.0, 1.0, 0.5, -1.0, -4.0, -1.0, 0.1])


def test_the_history_is_a_state():
    monitor, other = CollapseMonitor(skip_limit=0.5), CollapseMonitor(skip_limit=0.5)
    for share in (0.2, 0.6):
        monitor.update(share, 1.0)
    other.load_state_dict(monitor.state_dict())
    assert other.fired and other.shares == [0.2, 0.6] and other.reason == monitor.reason


@pytest.mark.parametrize(
    "options",
    [{"skip_limit": None, "ratio": None}, {"skip_limit": 1.5}, {"ratio": 0.0}, {"window": 0}, {"iterations": 0}],
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="collapse monitor"):
        CollapseMonitor(**options)


def test_every_decision_has_an_entropy_that_sorts() -> None:
    p = torch.full((6, 5), 0.2)
    p[4] = torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0])
    found = decision_entropies(p, NASBench201().schema)
    assert list(found) == sorted(found) and list(found)[4] == "04_edge_1-3" and list(found)[2] == "02_edge_1-2"
    assert found["04_edge_1-3"] == pytest.approx(math.log(2)) and found["00_edge_0-1"] == pytest.approx(math.log(5))
    assert sum(found.values()) / 6 == pytest.approx(mean_entropy(p))


def test_of_many_decisions_only_the_ends_are_told() -> None:
    p = torch.full((41, 3), 1 / 3)
    p[7] = torch.tensor([1.0, 0.0, 0.0])
    ends = decision_entropies(p, ToySpace(41).schema)
    assert ends == {"least": 0.0, "largest": pytest.approx(math.log(3))}
    assert len(decision_entropies(p[:40], ToySpace(40).schema)) == 40
