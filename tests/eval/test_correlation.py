"""Rank measures against scipy, scikit-learn and counting by hand."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import ndcg_score

from gennas.errors import ConfigError
from gennas.eval.correlation import RANK_MEASURES, correlate, kendall, ndcg, precision_at_top, spearman, within_top


@pytest.fixture
def sample(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = rng.uniform(80, 94, 60)
    return np.round(y + rng.normal(0, 3, 60)), y  # ties in the scores


def test_tau_and_rho(sample: tuple[np.ndarray, np.ndarray]) -> None:
    s, y = sample
    assert kendall(s, y) == kendalltau(s, y)[0] and spearman(s, y) == spearmanr(s, y)[0]
    concordant, tied_s = 0, 0
    for i in range(60):
        for j in range(i):
            concordant += np.sign(s[i] - s[j]) * np.sign(y[i] - y[j])
            tied_s += s[i] == s[j]
    assert kendall(s, y) == pytest.approx(concordant / np.sqrt((1770 - tied_s) * 1770), rel=1e-12)
    assert np.isnan(kendall(np.ones(5), np.arange(5))) and np.isnan(spearman(np.ones(5), np.arange(5)))


@pytest.mark.parametrize("k", [1, 7, 60, 1000])
def test_ndcg_is_that_of_scikit_learn_on_exponential_gains(sample: tuple[np.ndarray, np.ndarray], k: int) -> None:
    s, y = sample
    expected = ndcg_score([2.0**y - 1], [s], k=min(k, 60))  # averages over ties, too
    assert ndcg(s, y, k) == pytest.approx(expected, rel=1e-9)
    assert ndcg(y, y, k) == pytest.approx(1) and ndcg(-y, y, k) < ndcg(s, y, k)


def test_precision_is_the_mean_over_the_orders_of_ties() -> None:
    s, y = np.array([3.0, 2, 2, 2, 1, 0]), np.array([5.0, 6, 1, 4, 2, 3])
    truly = set(np.argsort(-y)[:3])
    hits = [len({0, *order[:2]} & truly) / 3 for order in permutations([1, 2, 3])]
    assert precision_at_top(s, y, 0.5) == pytest.approx(np.mean(hits))
    assert precision_at_top(y, y, 0.5) == 1 and precision_at_top(-y, y, 0.5) == 0
    assert precision_at_top(np.ones(100), np.arange(100), 0.05) == pytest.approx(0.05)


def test_within_the_top(sample: tuple[np.ndarray, np.ndarray]) -> None:
    s, y = sample
    best = np.argsort(-y)[:15]
    assert within_top(s, y, 0.25) == pytest.approx(spearmanr(s[best], y[best])[0])
    assert within_top(s, y, 0.25, kendall) == pytest.approx(kendalltau(s[best], y[best])[0])
    assert np.isnan(within_top(s, y, 0.001))


def test_intervals_cover_and_narrow(rng: np.random.Generator) -> None:
    truth = 6 / np.pi * np.arcsin(0.8 / 2)  # Spearman of a normal pair with correlation .8
    covered = 0
    for seed in range(40):
        x, e = rng.normal(size=(2, 80))
        found = correlate(x, 0.8 * x + 0.6 * e, measures={"rho": spearman}, resamples=100, level=0.9, seed=seed)["rho"]
        covered += found.low <= truth <= found.high
        assert found.low < found.value < found.high
    assert 30 <= covered <= 40
    x, e = rng.normal(size=(2, 800))
    wide, narrow = (correlate(x[:n], (x + e)[:n], measures={"rho": spearman})["rho"] for n in (80, 800))
    assert narrow.high - narrow.low < 0.6 * (wide.high - wide.low)


def test_equal_seeds_give_equal_intervals_and_negative_labels_have_no_gain() -> None:
    s, y = np.arange(30.0), np.arange(30.0)[::-1] - 40
    first, again = (correlate(s, y, resamples=20, seed=3) for _ in range(2))
    assert list(first) == list(RANK_MEASURES) and np.isnan(first["ndcg"].value)
    assert {k: str(v) for k, v in first.items()} == {k: str(v) for k, v in again.items()}
    assert first["kendall"].value == -1 and str(first["kendall"]) == "-1.000 [-1.000, -1.000]"
    with pytest.raises(ConfigError, match="no less than 0"):
        ndcg(s, y)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [([1, 2], [1, 2, 3], "shapes"), ([1, np.nan, 3], [1, 2, 3], "1 rows that are not"), ([1, 2], [1, 2], "three rows")],
)
def test_bad_input(scores: list[float], labels: list[float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        correlate(scores, labels)


def test_a_share_is_a_share() -> None:
    with pytest.raises(ConfigError, match="share"):
        precision_at_top([1, 2, 3], [1, 2, 3], 5)


@pytest.mark.shared
def test_published_columns(shared_data: Path) -> None:
    """Correlations within the top tenth and at the top 5 % of the proxies that others published."""
    proxies = pd.read_csv(shared_data / "proxies_nb201_cifar10.csv.gz", index_col="index")
    other = pd.read_csv(shared_data / "robustness_nb201_cifar10.csv.gz", index_col="index")
    y = other["val_accs"].loc[proxies.index]
    expected = {"jacov": (0.632, 0.818, 0.146, 0.17), "synflow": (0.536, 0.732, 0.193, 0.25)}
    for name, (tau, rho, top, precision) in expected.items():
        found = correlate(proxies[name], y, resamples=0)
        assert round(found["kendall"].value, 3) == tau and round(found["spearman"].value, 3) == rho
        assert round(found["spearman_top10"].value, 3) == top
        assert round(found["precision_top5"].value, 2) == precision
