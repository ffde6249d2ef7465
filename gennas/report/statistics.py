r"""What a comparison's runs say and what they do not: intervals, ranks and tests over seeds.

Runs are paired by seed: a seed is a block in which every strategy has one value.

Sources: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006); Friedman,
"The Use of Ranks to Avoid the Assumption of Normality", JASA 32 (1937); Wilcoxon, "Individual Comparisons by
Ranking Methods", Biometrics Bulletin 1 (1945); Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
Scandinavian Journal of Statistics 6 (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METHODS", "Measure", "SignedRank", "compare_pairs", "describe", "format_p", "friedman", "holm",
           "mean_ranks", "sentence", "signed_rank", "significance", "t_interval"]  # fmt: skip

FloatArray = NDArray[np.float64]
LEVEL = 0.05
METHODS = (
    "Runs are paired by seed. Pairs of strategies: Wilcoxon's signed-rank test, two-sided and exact; seeds on which "
    "a pair does not differ are left out, and p is corrected by Holm over the pairs of a measure. Three or more "
    "strategies together: Friedman's test."
)


@dataclass(frozen=True)
class Measure:
    """Something that every run ended with.

    Args:
        name: such as ``val_accuracy``.
        values: a row per seed, a column per strategy; NaN where a run has none.
        direction: what is better.
        about: what it is, for a person.
    """

    name: str
    values: pd.DataFrame
    direction: Literal["max", "min"] = "max"
    about: str = ""

    @property
    def blocks(self) -> pd.DataFrame:
        """The seeds for which every strategy has a value."""
        return self.values.dropna()

    @property
    def signed(self) -> FloatArray:
        """The blocks, more is better, ``(seeds, strategies)``."""
        values: FloatArray = self.blocks.to_numpy(dtype=np.float64)
        return values if self.direction == "max" else -values


def t_interval(values: FloatArray, level: float = 0.95) -> tuple[float, float]:
    r"""Student's interval of a mean.

    .. math:: \bar x \pm t_{(1 + level) / 2,\, n - 1} \; s / \sqrt n

    NaN for a single value. It is preferred to a bootstrap, which is too narrow for the ten seeds or so that a
    comparison usually has.

    Example:
        >>> [round(x, 3) for x in t_interval(np.array([1.0, 2.0, 3.0]))]
        [-0.484, 4.484]
    """
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return math.nan, math.nan
    half = float(t.ppf((1 + level) / 2, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def mean_ranks(signed: FloatArray) -> FloatArray:
    """Mean over blocks of each strategy's rank, 1 being the best and ties sharing theirs, ``(strategies,)``.

    Args:
        signed: more is better, ``(seeds, strategies)``.

    Example:
        >>> mean_ranks(np.array([[0.9, 0.8, 0.8], [0.7, 0.9, 0.5]])).tolist()
        [1.5, 1.75, 2.75]
    """
    from scipy.stats import rankdata

    ranks: FloatArray = rankdata(-signed, axis=1).mean(0)
    return ranks


def friedman(signed: FloatArray) -> tuple[float, float]:
    r"""Friedman's test that all strategies are alike: the statistic and its p value.

    .. math:: \chi^2 = \frac{12 n}{k (k + 1)} \sum_j \Big(\bar R_j - \frac{k + 1}{2}\Big)^2

    corrected for ties, on :math:`k - 1` degrees of freedom, with the mean ranks :math:`\bar R_j` of ``k`` strategies
    over ``n`` seeds. Where all values of every seed are equal, 0 and 1.

    Args:
        signed: ``(seeds, strategies)``, three strategies or more.
    """
    from scipy.stats import friedmanchisquare

    if (signed == signed[:, :1]).all():
        return 0.0, 1.0
    found = friedmanchisquare(*signed.T)
    return float(found.statistic), float(found.pvalue)


@dataclass(frozen=True)
class SignedRank:
    r"""A signed-rank test: the smaller rank sum, its p value, the differences that were 0, and the effect's size.

    The last is the rank-biserial correlation :math:`(W^+ - W^-) / (W^+ + W^-)`, from -1 to 1 (Kerby 2014).
    """

    statistic: float
    p: float
    zeros: int
    effect: float


def signed_rank(differences: FloatArray) -> SignedRank:
    r"""Wilcoxon's signed-rank test of paired differences, two-sided and exact.

    Differences of 0 are left out, as Wilcoxon did; equal sizes share their mean rank. With the ranks
    :math:`r_i` of the sizes :math:`|d_i|`,

    .. math:: W^+ = \sum_{d_i > 0} r_i, \quad p = \min\big(1, 2 \Pr(W^+ \le w)\big), \quad w = \min(W^+, W^-)

    where every sign is equally likely. The distribution is counted for the ranks at hand, so that p is exact with
    ties too. Where every difference is 0, p is 1.

    Example:
        >>> signed_rank(np.array([0.1, 0.2, 0.3, 0.0, 0.4, 0.5]))
        SignedRank(statistic=0.0, p=0.0625, zeros=1, effect=1.0)
    """
    from scipy.stats import rankdata

    kept = differences[differences != 0]
    zeros = len(differences) - len(kept)
    if not len(kept):
        return SignedRank(0.0, 1.0, zeros, 0.0)
    doubled = np.rint(2 * rankdata(np.abs(kept))).astype(np.int64)  # whole numbers, also where ranks are shared
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for rank in doubled:  # either sign with a chance of one half
        shifted = np.concatenate([np.zeros(rank), chances[:-rank]])
        chances = (chances + shifted) / 2
    positive, total = int(doubled[kept > 0].sum()), int(doubled.sum())
    least = min(positive, total - positive)
    return SignedRank(least / 2, min(1.0, 2 * float(chances[: least + 1].sum())), zeros, 2 * positive / total - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Holm's correction of ``m`` p values that are looked at together.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min\big(1, (m - j + 1) \, p_{(j)}\big)

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, most = [0.0] * len(p_values), 0.0
    for j, i in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - j) * p_values[i]))
        corrected[i] = most
    return corrected


def describe(measures: Sequence[Measure]) -> pd.DataFrame:
    """A row per measure and strategy: over its runs ``mean, std, low, high, median``, over blocks ``mean_rank``.

    ``low`` and ``high`` are :func:`t_interval` (95 %); ``runs`` counts the runs that have a value, ``blocks`` the
    seeds for which all strategies have one.
    """
    import pandas as pd

    rows = []
    for measure in measures:
        blocks = measure.signed
        ranks = mean_ranks(blocks) if len(blocks) else np.full(measure.values.shape[1], np.nan)
        for name, rank in zip(measure.values.columns, ranks, strict=True):
            values = measure.values[name].dropna().to_numpy(dtype=np.float64)
            mean = float(values.mean()) if len(values) else math.nan
            std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
            median = float(np.median(values)) if len(values) else math.nan
            interval = t_interval(values)
            rows.append((measure.name, str(name), len(values), mean, std, *interval, median, len(blocks), float(rank)))
    columns = ["measure", "strategy", "runs", "mean", "std", "low", "high", "median", "blocks", "mean_rank"]
    return pd.DataFrame(rows, columns=columns)


def significance(measures: Sequence[Measure]) -> pd.DataFrame:
    """Friedman's test of each measure (three strategies or more), and Wilcoxon's of every pair.

    Columns: ``measure, test, first, second, blocks, zeros, statistic, p, p_holm, effect, difference, wins, ties,
    losses``: ``difference`` is the mean of first minus second, ``effect`` as of :class:`SignedRank` and above 0 where
    first is better, ``wins`` counts the seeds on which it is, ``p_holm`` is corrected over the pairs of a measure.
    """
    import pandas as pd

    columns = ["measure", "test", "first", "second", "blocks", "zeros", "statistic", "p", "p_holm", "effect",
               "difference", "wins", "ties", "losses"]  # fmt: skip
    rows: list[dict[str, object]] = []
    for measure in measures:
        signed = measure.signed
        if not len(signed):
            continue
        if signed.shape[1] > 2 and len(signed) > 1:
            statistic, p = friedman(signed)
            row = {"measure": measure.name, "test": "friedman", "first": "", "second": "", "blocks": len(signed)}
            rows.append({**row, "statistic": statistic, "p": p, "p_holm": p})
        rows += compare_pairs(measure)
    counts = {name: "Int64" for name in ("blocks", "zeros", "wins", "ties", "losses")}
    return pd.DataFrame(rows, columns=columns).astype(counts)


def compare_pairs(measure: Measure) -> list[dict[str, object]]:
    """Wilcoxon's test of every pair of strategies, with Holm's correction; see :func:`significance`."""
    signed, names = measure.signed, [str(name) for name in measure.values.columns]
    rows: list[dict[str, object]] = []
    for i, j in combinations(range(len(names)), 2):
        found, gain = signed_rank(signed[:, i] - signed[:, j]), signed[:, i] - signed[:, j]
        better = 1.0 if measure.direction == "max" else -1.0
        rows.append(
            {
                "measure": measure.name, "test": "wilcoxon", "first": names[i], "second": names[j],
                "blocks": len(signed), "zeros": found.zeros, "statistic": found.statistic, "p": found.p,
                "effect": found.effect, "difference": better * float(gain.mean()) + 0.0,
                "wins": int((gain > 0).sum()),
                "ties": int((gain == 0).sum()), "losses": int((gain < 0).sum()),
            }
        )  # fmt: skip
    corrected = holm([float(str(row["p"])) for row in rows])
    return [{**row, "p_holm": p} for row, p in zip(rows, corrected, strict=True)]


# ---------------------------------------------------------------------- in words


def sentence(measure: Measure, found: pd.DataFrame) -> str:
    """What the tests say of a measure, in a line or two; empty with a single strategy.

    Args:
        measure: what was tested.
        found: :func:`significance` of it, perhaps of others too.
    """
    found = found[found["measure"] == measure.name]
    pairs = found[found["test"] == "wilcoxon"]
    if pairs.empty:
        return ""
    n = int(pairs["blocks"].iloc[0])
    parts = [f"{measure.about or measure.name} over {n} paired seed{'s' if n > 1 else ''}:"]
    for _, row in found[found["test"] == "friedman"].iterrows():
        parts.append(f"Friedman p = {format_p(row['p'])};")
    parts.append(_pairs(pairs))
    dropped = len(measure.values) - n
    if dropped:
        parts.append(f"{dropped} seed{'s' if dropped > 1 else ''} left out: some run found nothing feasible.")
    return " ".join(parts)


def _pairs(pairs: pd.DataFrame) -> str:
    """Which pairs differ, and if none does, whether any could have."""
    correction = ", Holm" if len(pairs) > 1 else ""
    sure = pairs[pairs["p_holm"] < LEVEL]
    said = []
    for _, row in sure.iterrows():
        winner, loser = (row["first"], row["second"]) if row["effect"] > 0 else (row["second"], row["first"])
        said.append(f"{winner} better than {loser} (p = {format_p(row['p_holm'])})")
    if said:
        rest = len(pairs) - len(said)
        tail = f"; {rest} other pair{'s' if rest > 1 else ''} not told apart" if rest else ""
        return f"Wilcoxon{correction}: {', '.join(said)}{tail}."
    n = int(pairs["blocks"].iloc[0])
    least = min(1.0, len(pairs) * 2.0 ** (1 - n))
    if least >= LEVEL:
        many = f"any of {len(pairs)} pairs" if len(pairs) > 1 else "the pair"
        needed = f"(p is {format_p(least)} at least); {_seeds_needed(len(pairs))} can."
        return f"Wilcoxon{correction}: {n} seeds cannot tell {many} apart {needed}"
    return f"Wilcoxon{correction}: no pair told apart at {LEVEL:g} (smallest p = {format_p(pairs['p_holm'].min())})."


def _seeds_needed(pairs: int) -> int:
    return next(n for n in range(2, 64) if pairs * 2.0 ** (1 - n) < LEVEL)


def format_p(p: float) -> str:
    """A p value with two digits.

    Example:
        >>> format_p(0.0234), format_p(1.2e-7), format_p(1.0)
        ('0.023', '1.2e-07', '1')
    """
    return f"{p:.2g}"
