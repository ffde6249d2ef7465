"""Statistics over seeds: against scipy, and against values computed by hand."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import PermutationMethod, friedmanchisquare, t, wilcoxon

from gennas.report.statistics import (
    Measure,
    describe,
    friedman,
    holm,
    mean_ranks,
    sentence,
    signed_rank,
    significance,
    t_interval,
)


def measure(values: list[list[float]], direction: str = "max", names: str = "abc") -> Measure:
    frame = pd.DataFrame(values, columns=list(names[: len(values[0])]))
    return Measure("val", frame, direction, "Best val")  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [4, 10, 25])
def test_signed_ranks_without_ties_are_scipys_exact_ones(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = wilcoxon(differences, method="exact")
    found = signed_rank(differences)
    assert found.statistic == expected.statistic and found.p == pytest.approx(expected.pvalue, abs=1e-14)


def test_signed_ranks_with_ties_are_those_of_all_permutations() -> None:
    differences = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, -0.5, 4.0])
    expected = wilcoxon(differences, method=PermutationMethod(n_resamples=10**6))
    assert signed_rank(differences).p == pytest.approx(expected.pvalue, abs=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_signed_ranks_count_every_sign(values: list[int]) -> None:
    d = np.array(values, dtype=float)
    kept = d[d != 0]
    found = signed_rank(d)
    assert found.zeros == len(d) - len(kept)
    if not len(kept):
        assert found.p == 1.0
        return
    ranks = pd.Series(np.abs(kept)).rank().to_numpy()
    w = min(ranks[kept > 0].sum(), ranks[kept < 0].sum())
    sums = [np.array(signs) @ ranks for signs in product((0, 1), repeat=len(kept))]
    assert found.p == pytest.approx(min(1.0, 2 * np.mean([s <= w + 1e-9 for s in sums])))
    mirrored = signed_rank(-d)
    assert mirrored.p == found.p and mirrored.effect == pytest.approx(-found.effect)


def test_the_effect_is_one_where_every_seed_agrees() -> None:
    assert signed_rank(np.array([1.0, 2.0, 3.0])).effect == 1.0
    assert signed_rank(np.array([-1.0, -2.0, -3.0])).effect == -1.0
    # ranks 1, 2, 3: W+ = 4, W- = 2
    assert signed_rank(np.array([1.0, -2.0, 3.0])).effect == pytest.approx(1 / 3)


def test_friedman_is_scipys_and_survives_what_never_differs() -> None:
    values = np.random.default_rng(0).normal(size=(12, 4)).round(1)
    expected = friedmanchisquare(*values.T)
    assert friedman(values) == pytest.approx((expected.statistic, expected.pvalue))
    assert friedman(np.ones((5, 3))) == (0.0, 1.0)


def test_mean_ranks_by_hand() -> None:
    # 0.9 > 0.8 = 0.8: 1, 2.5, 2.5; 0.9 > 0.7 > 0.5: 2, 1, 3
    assert mean_ranks(np.array([[0.9, 0.8, 0.8], [0.7, 0.9, 0.5]])).tolist() == [1.5, 1.75, 2.75]


def test_holm_by_hand() -> None:
    # sorted .01, .02, .03, .4: times 4, 3, 2, 1 = .04, .06, .06, .4; never falling, never above 1
    assert holm([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.06, 0.04, 0.4, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0])
    low, high = t_interval(values)
    half = t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert (low, high) == pytest.approx((3 - half, 3 + half))
    assert t_interval(np.ones(5)) == (1.0, 1.0)
    assert all(math.isnan(x) for x in t_interval(np.ones(1)))


def test_a_row_per_strategy() -> None:
    found = describe([measure([[0.1, 0.2], [0.3, 0.4], [0.5, 0.3]])]).set_index("strategy")
    assert found["mean"].tolist() == pytest.approx([0.3, 0.3]) and found["runs"].tolist() == [3, 3]
    assert found["mean_rank"].tolist() == pytest.approx([5 / 3, 4 / 3])
    assert found["std"]["a"] == pytest.approx(0.2)


def test_a_seed_without_a_value_counts_for_its_strategy_but_not_in_pairs() -> None:
    found = measure([[0.1, 0.2], [0.3, math.nan], [0.5, 0.6]])
    table, tests = describe([found]).set_index("strategy"), significance([found])
    assert table["runs"].tolist() == [3, 2] and table["blocks"].tolist() == [2, 2]
    assert tests["blocks"].tolist() == [2]
    assert "1 seed left out" in sentence(found, tests)


def test_every_pair_is_tested_and_corrected() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(12, 3)) + np.array([0.0, 0.2, 3.0])
    tests = significance([measure(values.tolist())])
    assert tests["test"].tolist() == ["friedman", "wilcoxon", "wilcoxon", "wilcoxon"]
    pairs = tests[tests["test"] == "wilcoxon"]
    raw = [wilcoxon(values[:, i] - values[:, j], method="exact").pvalue for i, j in ((0, 1), (0, 2), (1, 2))]
    assert pairs["p"].tolist() == pytest.approx(raw)
    assert pairs["p_holm"].tolist() == pytest.approx(holm(raw))
    assert (pairs[["wins", "ties", "losses"]].sum(axis=1) == 12).all()
    assert pairs["difference"].tolist()[1] == pytest.approx((values[:, 0] - values[:, 2]).mean())


@pytest.mark.parametrize(("direction", "winner"), [("max", "b better than a"), ("min", "a better than b")])
def test_the_sentence_says_who_is_better(direction: str, winner: str) -> None:
    found = measure([[i / 10, i / 10 + 0.1 + i / 100] for i in range(8)], direction)
    assert sentence(found, significance([found])) == f"Best val over 8 paired seeds: Wilcoxon: {winner} (p = 0.0078)."


def test_the_sentence_says_where_no_answer_is_possible() -> None:
    found = measure([[0.1, 0.2, 0.3]] * 3)
    text = sentence(found, significance([found]))
    assert "3 seeds cannot tell any of 3 pairs apart (p is 0.75 at least); 7 can." in text
    one = measure([[0.1], [0.2]])
    assert sentence(one, significance([one])) == ""


def test_the_sentence_says_where_nothing_differs() -> None:
    found = measure([[0.1 * i, 0.1 * i] for i in range(9)])
    assert "no pair told apart at 0.05 (smallest p = 1)" in sentence(found, significance([found]))
