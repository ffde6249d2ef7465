"""The knapsack against trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gennas.training.blocks import DepthRule, Knapsack


def problem(seed: int, num_costs: int, layers: int = 4, tightness: float = 0.5, only_last: bool = False) -> Knapsack:
    """Random scores and whole costs; the first option costs most and scores 0, the last leaves the layer out."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 6, layers)
    scores = [np.r_[0, rng.exponential(size=k - 1)] for k in sizes]
    costs = [rng.integers(1, 40, (k, num_costs)).astype(float) for k in sizes]
    for c in costs:
        c[0], c[-1] = 40, 0
    keeps = [np.r_[np.ones(k - 1, dtype=bool), False] for k in sizes]
    limits = np.floor(tightness * 40.0 * layers * rng.uniform(0.7, 1.3, num_costs))
    counts = tuple(sorted(rng.choice(np.arange(1, layers + 1), 2, replace=False).tolist()))
    return Knapsack(scores, costs, limits, keeps, [DepthRule(tuple(range(layers)), counts, only_last)])


def all_feasible(p: Knapsack) -> list[tuple[int, ...]]:
    """Every choice that keeps the bounds and the rules, by definition."""
    found = []
    for choice in itertools.product(*(range(len(s)) for s in p.scores)):
        kept = [bool(p.keeps[i][k]) for i, k in enumerate(choice)]
        total = [sum(p.costs[i][k][j] for i, k in enumerate(choice)) for j in range(len(p.limits))]
        last = all(not b or a for a, b in itertools.pairwise(kept)) if p.rules[0].only_last else True
        if last and sum(kept) in p.rules[0].counts and all(t <= b for t, b in zip(total, p.limits, strict=True)):
            found.append(choice)
    return found


@pytest.mark.parametrize("only_last", [False, True])
@pytest.mark.parametrize("num_costs", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_equals_brute_force(seed: int, num_costs: int, only_last: bool) -> None:
    p = problem(seed, num_costs, tightness=0.3 if seed % 2 else 0.6, only_last=only_last)
    feasible, choice = all_feasible(p), p.solve()
    if not feasible:
        assert choice is None
        return
    values = {c: sum(p.scores[i][k] for i, k in enumerate(c)) for c in feasible}
    assert choice in values
    assert values[choice] == pytest.approx(min(values.values()), abs=1e-9)


def test_an_infeasible_bound_has_no_choice() -> None:
    p = problem(0, 1)
    assert Knapsack(p.scores, p.costs, np.array([-1.0]), p.keeps, p.rules).solve() is None


def test_the_least_cost_equals_brute_force() -> None:
    for seed in range(5):
        p = problem(seed, 2, tightness=10.0)
        least = min(sum(p.costs[i][k][1] for i, k in enumerate(c)) for c in all_feasible(p))
        assert p.least(1) == least


def test_a_bound_is_kept_beyond_the_solvers_tolerance() -> None:
    """One parameter of a billion too many is too many: the solver's tolerance is a thousand of them."""
    costs = [np.array([[500_000_000.0], [1.0]]), np.array([[500_000_001.0], [2.0]])]
    keeps = [np.array([True, True])] * 2
    p = Knapsack([np.array([0.0, 1.0]), np.array([0.0, 1.5])], costs, np.array([1e9]), keeps)
    assert p.solve() == (1, 0)


def test_is_feasible_and_random_choices() -> None:
    p = problem(3, 2)
    feasible = all_feasible(p)
    every = np.array(list(itertools.product(*(range(len(s)) for s in p.scores))))
    assert {tuple(c) for c in every[p.is_feasible(every)].tolist()} == set(feasible)
    drawn = p.random(len(feasible) + 5, np.random.default_rng(0))
    assert {tuple(c) for c in drawn.tolist()} == set(feasible)  # all of them, each once


def test_random_choices_are_uniform() -> None:
    p = problem(3, 1)
    feasible = all_feasible(p)
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(feasible, 0)
    for _ in range(400):
        counts[tuple(p.random(1, rng)[0].tolist())] += 1
    expected = 400 / len(feasible)
    chi2 = sum((c - expected) ** 2 / expected for c in counts.values())
    assert chi2 < len(feasible) - 1 + 5 * (2 * len(feasible)) ** 0.5


def test_random_choices_where_few_are_feasible() -> None:
    """One choice in 8^10: draws do not find it, the solver does."""
    costs = [np.r_[1.0, np.full(7, 9.0)][:, None] for _ in range(10)]
    keeps = [np.ones(8, dtype=bool)] * 10
    p = Knapsack([np.zeros(8)] * 10, costs, np.array([10.0]), keeps)
    assert p.random(3, np.random.default_rng(0)).tolist() == [[0] * 10]
