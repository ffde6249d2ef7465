"""Where the complete strategy looks for candidates unless it is told: one rule for all spaces."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gennas.spaces.base import Space

__all__ = ["LARGE", "default_pool", "with_language"]

LARGE = 1e6
"""Spaces of more architectures are large."""


def default_pool(space: Space) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Shares of the pool by source, and shares of the children by kernel.

    In a large space, where a pool that is drawn once is a drop in the ocean, nine tenths of the candidates are evolved
    on the acquisition function (of the first children .4 by mutation, .4 by crossover, .2 by the diffusion model), and
    a tenth is random. In a small one half of the pool is random, which covers much of what there is; the diffusion
    model draws .35, and .15 is evolved by mutation and crossover. A space that cannot say its size is as large as all
    labels of its decisions allow. Nothing else decides: neither the budget, so that a search can be extended, nor the
    size of a round.

    Example:
        >>> from gennas.spaces import MacroChain, NASBench201
        >>> default_pool(NASBench201())[0]
        {'diffusion': 0.35, 'evolve': 0.15, 'random': 0.5}
        >>> default_pool(MacroChain())
        ({'evolve': 0.9, 'random': 0.1}, {'mutation': 0.4, 'crossover': 0.4, 'renoise': 0.2})
    """
    size = space.size
    if size is None:
        size = math.prod(space.schema.decision_mask.sum(1).tolist())
    if size > LARGE:
        return {"evolve": 0.9, "random": 0.1}, {"mutation": 0.4, "crossover": 0.4, "renoise": 0.2}
    return {"diffusion": 0.35, "evolve": 0.15, "random": 0.5}, {"mutation": 0.5, "crossover": 0.5}


def with_language(shares: Mapping[str, float], share: float = 0.2) -> dict[str, float]:
    """Shares of the pool that leave a language model its part, ``share``.

    Example:
        >>> with_language({"evolve": 0.9, "random": 0.1})
        {'evolve': 0.72, 'random': 0.08, 'llm': 0.2}
    """
    return {**{name: round(part * (1 - share), 6) for name, part in shares.items()}, "llm": share}
