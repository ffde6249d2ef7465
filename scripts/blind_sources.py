"""Controls that learn nothing, to be compared with generators as sources by ``scripts/bench_engine``.

``--strategies "generative@shares={scripts/blind_sources.py:GeometricSource: 1}" "generative@shares={diffusion: 1}"``.
"""

from __future__ import annotations

import numpy as np

from gennas.graph import Population
from gennas.search.strategies.evolution.variation import edited
from gennas.search.strategies.kernels import Kernel
from gennas.search.strategies.sources import Evidence, Source

FURTHER, MOST = 0.5, 16


class GeometricSource(Source):
    """Elites edited once, and again with probability 1/2 each time: jumps as long as a generator's, but blind."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Elites that are drawn uniformly, edited a geometric number of times, 16 at most."""
        return edited(self.space, evidence.archs[rng.choice(evidence.best, size=n)], rng, FURTHER, MOST)


class BlindKernel(Kernel):
    r"""What ``renoise`` redraws as learned, redrawn at random: as many decisions, less from generation to generation.

    Each decision is edited with probability :math:`\sin^2(\pi s / 2)`, the strength uniform between .1 and .5 in the
    first generation, and .2 in the last; an edit is the space's own.
    """

    cost = 2.0

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Parents that are drawn uniformly, edited a binomial number of times, at least once."""
        level = rng.uniform(0.1, 0.5 - 0.3 * progress, size=n)
        edits = np.maximum(rng.binomial(self.space.schema.num_decisions, np.sin(np.pi * level / 2) ** 2), 1)
        edits = np.rint(edits * 0.75).astype(int).clip(1)  # of four labels, one redrawn is the old one
        children = parents[rng.integers(len(parents), size=n)]
        for done in range(edits.max(initial=0)):
            going = np.flatnonzero(edits > done)
            children = children.replaced(going, self.space.mutate(children[going], rng))
        return children
