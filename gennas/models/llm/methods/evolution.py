"""Mutation and crossover of few-shot parents."""

from __future__ import annotations

import numpy as np

from gennas.errors import ConfigError
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.situation import Situation
from gennas.models.llm.transcript import Recorder

__all__ = ["Evolution"]


@METHODS.register("evolution")
class Evolution(Method):
    """Shows a few good parents with their values, and asks for a child of them.

    The model is the mutation and crossover of an evolution, as in EvoPrompting (Chen et al. 2023, arXiv 2302.14838):
    each child has parents of its own, drawn from the elites, the better ones more often.

    Args:
        decisions: what is legal.
        parents: of each child; 1 is a mutation.
        elites: how many of the best may be parents; the ``i``-th of them is drawn in proportion to ``1 / i``.
        options: as of :class:`Method`.
    """

    prompt_name = "evolution"

    def __init__(self, decisions: Decisions, parents: int = 2, elites: int = 10, **options: object) -> None:
        super().__init__(decisions, **options)  # type: ignore[arg-type]  # checked there
        if parents < 1 or elites < parents:
            raise ConfigError(f"Expected one parent or more, and at least as many elites, got {parents} and {elites}.")
        self.parents, self.elites = parents, elites

    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """One request with its own parents for each child, see :class:`Method`."""
        rng = np.random.default_rng(seed)
        places = situation.order[: self.elites]
        weights = 1 / np.arange(1, len(places) + 1)
        number = min(self.parents, len(places))
        chosen, requests = list[list[int]](), []
        for _ in range(n):
            drawn_places = (
                rng.choice(places, size=number, replace=False, p=weights / weights.sum()) if number else places
            )
            chosen.append(sorted((int(p) for p in drawn_places), key=places.tolist().index))
            values = self._values(situation, parents=[situation.results[p] for p in chosen[-1]])
            requests.append((values, int(rng.integers(2**31))))
        drawn = self._drawn_each(backend, requests)
        return Suggestions.joined(list(zip(drawn, chosen, strict=True)), len(self.decisions))
