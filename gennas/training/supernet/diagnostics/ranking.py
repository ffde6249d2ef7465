"""How well inherited scores rank architectures that were trained alone."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from gennas.eval.correlation import Interval, correlate, kendall, spearman

__all__ = ["InheritedRanking", "rank_inherited"]


@dataclass(frozen=True)
class InheritedRanking:
    """Rank correlations with bootstrap intervals, beside what counting parameters would give.

    Args:
        tau: Kendall's tau-b of inherited against stand-alone scores.
        rho: Spearman's rho of them.
        tau_parameters: tau of the numbers of parameters, the baseline to beat; None where they were not given.
        tau_ceiling: tau of stand-alone scores of another seed, the most to expect; None where they were not given.
        n: architectures.
    """

    tau: Interval
    rho: Interval
    tau_parameters: Interval | None
    tau_ceiling: Interval | None
    n: int

    def __str__(self) -> str:
        text = f"tau {self.tau}, rho {self.rho} over {self.n} architectures"
        text += "" if self.tau_parameters is None else f"; tau of the number of parameters {self.tau_parameters}"
        return text + ("" if self.tau_ceiling is None else f"; tau of another seed {self.tau_ceiling}")


def rank_inherited(
    inherited: ArrayLike,
    alone: ArrayLike,
    parameters: ArrayLike | None = None,
    other_seed: ArrayLike | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> InheritedRanking:
    """Correlate inherited with stand-alone scores of the same architectures, ``(n,)`` each, more is better.

    All correlations are bootstrapped on the same resamples.

    Args:
        inherited: scores with the supernet's weights.
        alone: scores of networks that were trained alone, or a table's.
        parameters: numbers of parameters.
        other_seed: stand-alone scores of another seed.
        resamples: bootstrap samples.
        seed: of the resampling.

    Raises:
        ConfigError: shapes differ, values are not finite, or there are fewer than three architectures.

    Example:
        >>> found = rank_inherited([0.2, 0.5, 0.4, 0.9], [0.6, 0.7, 0.8, 0.9], parameters=[1, 2, 3, 4])
        >>> round(found.tau.value, 3), found.tau_parameters.value
        (0.667, 1.0)
    """
    measures = {"tau": kendall, "rho": spearman}

    def of(scores: ArrayLike | None) -> dict[str, Interval] | None:
        if scores is None:
            return None
        return correlate(scores, alone, measures=measures, resamples=resamples, seed=seed)

    found, sizes, other = of(inherited), of(parameters), of(other_seed)
    assert found is not None
    return InheritedRanking(
        found["tau"],
        found["rho"],
        None if sizes is None else sizes["tau"],
        None if other is None else other["tau"],
        len(list(alone)),  # type: ignore[arg-type]
    )
