"""Bayesian optimisation over random pools: the generative strategy's surrogate and acquisition, nothing generated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gennas.search.strategies.generative.generative import GenerativeSearch
from gennas.search.strategy import STRATEGIES

__all__ = ["BayesianSearch"]


@STRATEGIES.register("bayesian")
class BayesianSearch(GenerativeSearch):
    """Ranks uniformly random pools by the expected improvement of Gaussian processes, evaluates the best.

    A :class:`GenerativeSearch` whose only source is the space itself: the baseline that tells what a
    generator adds. Takes the same arguments.

    Example:
        >>> from gennas.search import Objective, Objectives
        >>> from gennas.spaces import NASBench201
        >>> strategy = BayesianSearch(NASBench201(), Objectives((Objective("accuracy"),)), seed=1)
        >>> len(strategy.ask(8))
        8
    """

    def __init__(self, *args: Any, shares: Mapping[str, float] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, shares=shares or {"random": 1.0}, **kwargs)
