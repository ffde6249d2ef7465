r"""How well scores rank architectures: over all of them, at the top, and within the top, with bootstrap intervals.

Scores and labels are ``(n,)``, more is better in both. Ties never depend on the order of the rows: a group of
equal scores takes the mean over all orders of the group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, rankdata, spearmanr

from gennas.errors import ConfigError

__all__ = [
    "RANK_MEASURES",
    "Interval",
    "correlate",
    "kendall",
    "ndcg",
    "precision_at_top",
    "spearman",
    "within_top",
]

FloatArray = NDArray[np.float64]
RankMeasure = Callable[[FloatArray, FloatArray], float]


@dataclass(frozen=True)
class Interval:
    """A measured value and its bootstrap percentile interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def kendall(scores: ArrayLike, labels: ArrayLike) -> float:
    r"""Kendall's tau-b: concordant minus discordant pairs over pairs, those tied in either taken out.

    .. math:: \tau_b = \frac{C - D}{\sqrt{(C + D + T_s)(C + D + T_y)}}

    with :math:`T_s` the pairs tied in the scores alone and :math:`T_y` in the labels alone.

    Example:
        >>> kendall([1, 2, 3], [1, 3, 2]).__round__(4)
        0.3333
    """
    s, y = _pair(scores, labels)
    return float(kendalltau(s, y).statistic) if _varies(s, y) else float("nan")


def spearman(scores: ArrayLike, labels: ArrayLike) -> float:
    """Spearman's rho: Pearson's correlation of the ranks, mean ranks for ties.

    Example:
        >>> spearman([1, 2, 3], [1, 3, 2])
        0.5
    """
    s, y = _pair(scores, labels)
    return float(spearmanr(s, y).statistic) if _varies(s, y) else float("nan")


def ndcg(scores: ArrayLike, labels: ArrayLike, k: int = 1000) -> float:
    r"""Normalised discounted cumulative gain of the ``k`` best scored.

    .. math:: \mathrm{nDCG}_k = \frac{1}{Z} \sum_{j=1}^{k} \frac{2^{y_j} - 1}{\log_2(1 + j)}

    with :math:`y_j` the label of the architecture that the scores put on place ``j`` and ``Z`` the sum for the
    order of the labels. Labels are accuracies **in percent**, as in the source: a point of accuracy doubles the
    gain, so that the very best places decide. ``k`` is 1,000 in the source, at most ``n`` here.
    Source: Tybl and Neumann 2025, arXiv 2502.04975.

    Raises:
        ConfigError: a label is negative, or ``k`` is not positive.

    Example:
        >>> ndcg([1, 2, 3], [90, 91, 92])
        1.0
    """
    s, y = _pair(scores, labels)
    if k < 1 or (y < 0).any():
        raise ConfigError(f"Expected k >= 1 and labels that are no less than 0, got k={k} and {y.min()}.")
    gain = np.exp2(y - y.max()) - np.exp2(-y.max())  # the common factor 2**max cancels
    ideal = float(gain @ _share_of_places(y, _discounts(len(y), k)))
    return float(gain @ _share_of_places(s, _discounts(len(s), k))) / ideal if ideal > 0 else float("nan")


def precision_at_top(scores: ArrayLike, labels: ArrayLike, share: float = 0.05) -> float:
    """Which part of the best scored ``share`` is among the truly best ``share``; by chance it is ``share``.

    Raises:
        ConfigError: ``share`` is not in (0, 1].

    Example:
        >>> precision_at_top([1, 2, 3, 4], [1, 4, 2, 3], share=0.5)
        0.5
    """
    s, y = _pair(scores, labels)
    places = np.where(np.arange(len(s)) < _count(share, len(s)), 1.0, 0.0)
    return float(_share_of_places(s, places) @ _share_of_places(y, places) / places.sum())


def within_top(scores: ArrayLike, labels: ArrayLike, share: float = 0.1, measure: RankMeasure = spearman) -> float:
    """``measure`` among the truly best ``share`` only (with all that tie with the last of them).

    A search ends there; proxies with a high correlation over all architectures often have none here.

    Raises:
        ConfigError: ``share`` is not in (0, 1].

    Example:
        >>> within_top([4, 3, 1, 2], [1, 2, 3, 4], share=0.5).__round__(4)
        1.0
    """
    s, y = _pair(scores, labels)
    count = _count(share, len(y))
    best = y >= np.partition(y, len(y) - count)[len(y) - count]
    return measure(s[best], y[best]) if best.sum() > 1 else float("nan")


RANK_MEASURES: Mapping[str, RankMeasure] = {
    "kendall": kendall,
    "spearman": spearman,
    "ndcg": ndcg,
    "precision_top5": precision_at_top,
    "spearman_top10": within_top,
    "kendall_top10": partial(within_top, measure=kendall),
}


def correlate(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    measures: Mapping[str, RankMeasure] = RANK_MEASURES,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """All measures with percentile intervals of the bootstrap over architectures.

    Rows are drawn with replacement, scores and labels together, so the interval is that of another sample of
    architectures; it says nothing of another initialisation or batch. A row that was drawn twice ties with
    itself in both, which tau-b leaves out. Rows whose score is not finite are an error: what a failed network
    scores is for the caller to say.

    Args:
        scores: ``(n,)``, more is better.
        labels: ``(n,)``, more is better; accuracies in percent for ``ndcg``, which is NaN for negative labels.
        measures: by name.
        resamples: bootstrap samples; 0 for values without intervals.
        level: coverage of the interval.
        seed: of the resampling; equal seeds draw equal rows, so that scores are compared on the same resamples.

    Raises:
        ConfigError: shapes differ, a value is not finite, fewer than three rows, or ``level`` is not in (0, 1).

    Example:
        >>> found = correlate([1, 2, 3, 4], [10, 20, 40, 30], resamples=0)
        >>> round(found["kendall"].value, 3)
        0.667
    """
    s, y = _pair(scores, labels)
    if len(s) < 3 or not 0 < level < 1:
        raise ConfigError(f"Expected three rows or more and a level in (0, 1), got {len(s)} rows and level {level}.")
    used = {name: f for name, f in measures.items() if f is not ndcg or (y >= 0).all()}
    rng = np.random.default_rng(seed)
    draws = [rng.integers(len(s), size=len(s)) for _ in range(resamples)]
    samples = [(s[rows], y[rows]) for rows in draws]
    nothing = Interval(*3 * (float("nan"),))
    return {name: _interval(used[name], s, y, samples, level) if name in used else nothing for name in measures}


def _interval(
    measure: RankMeasure, s: FloatArray, y: FloatArray, samples: list[tuple[FloatArray, FloatArray]], level: float
) -> Interval:
    found = np.array([measure(a, b) for a, b in samples])
    found = found[np.isfinite(found)]
    tail = 50 * (1 - level)
    low, high = np.percentile(found, [tail, 100 - tail]) if len(found) else (float("nan"), float("nan"))
    return Interval(measure(s, y), float(low), float(high))


def _pair(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray]:
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if s.ndim != 1 or s.shape != y.shape or not len(s):
        raise ConfigError(f"Expected scores and labels (n,), got shapes {s.shape} and {y.shape}.")
    bad = int((~np.isfinite(s) | ~np.isfinite(y)).sum())
    if bad:
        raise ConfigError(
            f"Expected finite scores and labels, got {bad} rows that are not; leave them out, and say so."
        )
    return s, y


def _varies(s: FloatArray, y: FloatArray) -> bool:
    return len(s) > 1 and bool(np.ptp(s) > 0 and np.ptp(y) > 0)


def _count(share: float, n: int) -> int:
    if not 0 < share <= 1:
        raise ConfigError(f"Expected a share in (0, 1], got {share}.")
    return max(1, round(share * n))


def _discounts(n: int, k: int) -> FloatArray:
    places = np.arange(1, n + 1)
    return np.where(places <= k, 1 / np.log2(1 + places), 0.0)


def _share_of_places(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The weight of the place that each value takes in descending order, ``(n,)``; ties share theirs."""
    first = rankdata(-values, method="min").astype(int)
    last = rankdata(-values, method="max").astype(int)
    total = np.concatenate([[0.0], np.cumsum(weights)])
    shared: FloatArray = (total[last] - total[first - 1]) / (last - first + 1)
    return shared
