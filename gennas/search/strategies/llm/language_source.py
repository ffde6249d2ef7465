"""A language model as one source of candidates among others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.runtime.seeds import draw_seed
from gennas.search.strategies.llm.proposer import LanguageProposer
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.spaces.base import Space

__all__ = ["LanguageSource"]


@SOURCES.register("llm")
class LanguageSource(Source):
    """What a language model suggests, as candidates that are ranked with all others.

    Of a pool of 1,000 other sources give hundreds; here every candidate costs a request or several. Therefore a share
    of 1 of the pool stands for ``candidates`` suggestions: a share of .3 for .3 of them, at least one. The bandit
    counts hits per place of the pool, filled or not: few suggestions keep a large share only if they bring as much as
    that share of the pool would from others. A hit is credited only where no other source drew the candidate.

    Args:
        space: where candidates belong.
        language: the model, with its method and transcript; only the strategy ``generative`` has one.
        candidates: suggestions that a whole pool stands for.
        pool_size: candidates of a whole pool.

    Raises:
        ConfigError: no model.
    """

    def __init__(
        self, space: Space, language: LanguageProposer | None = None, candidates: int = 20, pool_size: int = 1000
    ) -> None:
        super().__init__(space)
        if language is None:
            raise ConfigError("The source llm needs a model: use it with the strategy generative, and give --model.")
        self.language, self.candidates, self.pool_size = language, candidates, pool_size

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """New suggestions, in proportion to ``n``."""
        number = max(1, round(n * self.candidates / self.pool_size))
        trials, features = evidence.trials, evidence.features
        return self.language.suggest(trials, number, evidence.seen, draw_seed(rng), features).archs

    def state_dict(self) -> dict[str, Any]:
        """What the model's side remembers."""
        return self.language.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        self.language.load_state_dict(state)
