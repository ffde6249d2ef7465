"""Controls that learn nothing, to be compared with generators as sources by ``scripts/bench_engine``.

``--strategies "generative@shares={scripts/blind_sources.py:GeometricSource: 1}" "generative@shares={diffusion: 1}"``.
"""

from __future__ import annotations

import numpy as np

from gennas.graph import Population
from gennas.search.strategies.evolution.variation import edited
from gennas.search.strategies.sources import Evidence, Source

FURTHER, MOST = 0.5, 16


class GeometricSource(Source):
    """Elites edited once, and again with probability 1/2 each time: jumps as long as a generator's, but blind."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Elites that are drawn uniformly, edited a geometric number of times, 16 at most."""
        return edited(self.space, evidence.archs[rng.choice(evidence.best, size=n)], rng, FURTHER, MOST)
