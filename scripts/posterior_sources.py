r"""Posterior samplers of the diffusion model as sources of candidates, to be judged by ``scripts/bench_engine``.

As many candidates are valued as the pool holds, by the round's own acquisition, like those of ``evolve``:

    S=scripts/posterior_sources.py
    .venv/bin/python scripts/bench_engine --problems macro12 --budget 60 --batch 4 --pool 1000 --seeds 5 \
        --strategies "generative@shares={evolve: 1}" "generative@shares={diffusion: 1}" \
        "generative@shares={$S:ParticleSource: 1}" "generative@shares={$S:TiltedSource: 1}" \
        "generative@shares={$S:FineTunedSource: 1}" --reference "generative@shares={evolve: 1}"

The generator is fitted as by the strategy ``generative``: 100 steps on 2,000 unlabelled architectures, then 20 steps
whenever 8 labels are new. What breaks a cheap constraint counts 10 nats less, what was seen before 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings
from gennas.generators.fine_tuning import fine_tune
from gennas.generators.weights import pack_weights, unpack_weights
from gennas.graph import Population
from gennas.models.diffusion import sample_posterior
from gennas.runtime.seeds import draw_seed
from gennas.runtime.threads import one_thread
from gennas.search.strategies.sources import Evidence, Source
from gennas.spaces import Space

BROKEN, KNOWN = 10.0, 3.0


class FittedSource(Source):
    """A diffusion model that is refitted as labels come in; subclasses say how it is drawn from."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self.generator: DiffusionGenerator | None = None
        self.fitted = 0

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """What was valued on the way, at most ``n``, without what breaks a cheap constraint."""
        generator = self._refitted(evidence, rng)

        def value(archs: Population) -> np.ndarray:
            archs = self.space.canonical(archs)
            found = evidence.value(archs)
            assert found is not None
            return found - BROKEN * ~evidence.keeps(archs) - KNOWN * evidence.known(archs)

        with one_thread():
            pool = self.space.canonical(self._drawn(generator, n, value, evidence, rng))
        kept = pool[evidence.keeps(pool)]
        return kept if len(kept) else self.space.sample(n, rng)

    def _drawn(self, generator, n, value, evidence, rng) -> Population:
        raise NotImplementedError

    def _refitted(self, evidence: Evidence, rng: np.random.Generator) -> DiffusionGenerator:
        archs, outcomes = evidence.archs, evidence.outcomes
        if self.generator is None:
            self.generator = self._made(outcomes.columns.shape[1])
            self.generator.fit(self.space.sample(2000, rng), steps=100, seed=draw_seed(rng))
        if len(archs) - self.fitted >= 8:
            ranked = rankdata(outcomes.utility) - 1
            weights = 1.0 / (0.05 * len(archs) + ranked.max() - ranked)
            self.generator.fit(archs, outcomes.quantiles(), weights, 20, draw_seed(rng))
            self.fitted = len(archs)
        return self.generator

    def _made(self, conditions: int) -> DiffusionGenerator:
        settings = DiffusionSettings(guidance_scale=1.0)
        return DiffusionGenerator(self.space.schema, self.space.legal, conditions, settings)

    def state_dict(self) -> dict[str, Any]:
        """The weights."""
        if self.generator is None:
            return {}
        conditions = self.generator.num_conditions
        return {"fitted": self.fitted, "conditions": conditions, "weights": pack_weights(self.generator)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore them."""
        self.generator = None
        if state:
            self.generator, self.fitted = self._made(state["conditions"]), state["fitted"]
            unpack_weights(self.generator, state["weights"])


class ParticleSource(FittedSource):
    """Everything that sequential Monte Carlo valued: particles times eight steps."""

    tilt = 0.0

    def _drawn(self, generator, n, value, evidence, rng) -> Population:
        count = n // (8 + (self.tilt > 0))
        asked = evidence.outcomes.wanted(count, 0.9, rng)
        source = torch.Generator().manual_seed(draw_seed(rng))
        settings = {"conditions": asked, "legal": self.space.legal, "generator": source}
        return sample_posterior(generator.pipeline, count, value, tilt=self.tilt, **settings).seen


class TiltedSource(ParticleSource):
    """The same with tilted logits."""

    tilt = 1.0


class FineTunedSource(FittedSource):
    """Four rounds of fine-tuning, and as many samples again of what came of it."""

    def _drawn(self, generator, n, value, evidence, rng) -> Population:
        tuned = fine_tune(generator, value, rounds=4, samples=n // 5, steps=20, seed=draw_seed(rng))
        return Population.concat([tuned.seen, tuned.generator.sample(n // 5, seed=draw_seed(rng))])
