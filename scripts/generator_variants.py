r"""Other ways for the diffusion model to make children of ``evolve``, to be judged by ``scripts/bench_engine``.

    V=scripts/generator_variants.py
    .venv/bin/python scripts/bench_engine --problems blocks --budget 100 --batch 4 --pool 1000 --seeds 5 \
        --strategies "generative@shares={evolve: 0.9, random: 0.1}@kernels={mutation: 0.5, crossover: 0.5}" \
        "generative@shares={evolve: 0.9, random: 0.1}@kernels={mutation: 0.4, crossover: 0.4, $V:DistilledKernel: 0.2}"

None of them is part of gennas: they were tried, and ``docs/LOG.md`` says what came of it. They keep nothing for a
search that is continued.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Population
from gennas.runtime.seeds import draw_seed
from gennas.runtime.threads import one_thread
from gennas.search.strategies.generative.generator_kernels import RenoiseKernel
from gennas.search.strategies.sources import Evidence

Asked = NDArray[np.float64] | None
STEPS, CHAINS, MOVES, PRETRAINING = 5, 200, 20, 100


class SteadyKernel(RenoiseKernel):
    """Noise between .1 and .5 in every generation, instead of less and less."""

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """As in the first generation."""
        return super().vary(parents, n, evidence, 0.0, rng)


class FarKernel(RenoiseKernel):
    """Noise between .4 and .8: most decisions are drawn again."""

    def _changed(self, parents: Population, level: NDArray[np.float64], asked: Asked, seed: int) -> Population:
        return super()._changed(parents, 0.3 + level, asked, seed)


class SampleKernel(RenoiseKernel):
    """Whole samples of the generator under the wanted quantile; the evolution goes on from them."""

    cost = 1.0

    def _changed(self, parents: Population, level: NDArray[np.float64], asked: Asked, seed: int) -> Population:
        return self.generator.sample(len(parents), asked, seed=seed)


class DistilledKernel(RenoiseKernel):
    r"""A generator trained on :math:`p(a) \exp(\alpha(a))`: the survivors of this round's generations, by their value.

    Five steps in every generation but the first, on what survived since the round began, weighted by the exponential
    of the log-acquisition; redrawn without conditions.
    """

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self._survived: list[Population] = []

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Train, then redraw."""
        if progress == 0:
            self._survived = []
        else:
            self._survived.append(parents)
            archs = Population.concat(self._survived).unique()
            value = evidence.value(archs)
            assert value is not None
            weights = np.exp(np.maximum(value - value.max(), -3.0))
            with one_thread():
                self.generator.fit(archs, weights=weights, steps=STEPS, seed=draw_seed(rng))
        return super().vary(parents, n, evidence, progress, rng)

    def _changed(self, parents: Population, level: NDArray[np.float64], asked: Asked, seed: int) -> Population:
        return super()._changed(parents, level, None, seed)


class FeasibleKernel(RenoiseKernel):
    """A generator that learns beforehand, without a label, what keeps the cheap constraints.

    Before the first child it is fitted to the ends of 200 random walks of 20 single edits, from the elites and within
    the constraints, and to the ways there.
    """

    walked = False

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Learn the constraints once, then redraw."""
        if not self.walked:
            self.walked = True
            with one_thread():
                self.generator.fit(self._walks(parents, evidence, rng), steps=PRETRAINING, seed=draw_seed(rng))
        return super().vary(parents, n, evidence, progress, rng)

    def _walks(self, starts: Population, evidence: Evidence, rng: np.random.Generator) -> Population:
        """Where chains that start at ``starts`` come by in the second half of their ways."""
        at, met = starts[rng.integers(len(starts), size=CHAINS)], []
        for move in range(MOVES):
            there = self.space.mutate(at, rng)
            allowed = np.flatnonzero(evidence.keeps(there))
            at = at.replaced(allowed, there[allowed]) if len(allowed) else at
            if move >= MOVES // 2:
                met.append(at)
        return Population.concat(met)
