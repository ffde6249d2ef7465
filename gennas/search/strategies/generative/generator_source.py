"""Generators as sources of candidates: made when first needed, refitted now and then, drawn from in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.eval.base import Direction
from gennas.generators.registry import new_generator
from gennas.generators.weights import pack_weights, unpack_weights
from gennas.graph import Population
from gennas.runtime.seeds import draw_seed
from gennas.search.objectives import Objectives
from gennas.search.strategies.sources import Evidence, Source
from gennas.search.trial import Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.generators.conditions import ConditionScale
    from gennas.models.base import Generator

__all__ = ["GeneratorSource", "condition_scales", "make_generator"]

FloatArray = NDArray[np.float64]

_ELBO_STEPS = 8


def make_generator(
    name: str, space: Space, objectives: Objectives, seed: int, guidance_scale: float, pretrained: str | None = None
) -> Generator:
    """A generator with one condition for each objective and constraint, new or with the weights in ``pretrained``.

    Raises:
        ConfigError: the directory holds a generator of another kind.
        CheckpointError: it holds none of this space.
    """
    if pretrained is None:
        number = len(objectives.objectives) + len(objectives.constraints)
        return new_generator(name, space, number, seed, guidance_scale)
    from gennas.generators.trained import TrainedGenerator

    found = TrainedGenerator.from_pretrained(pretrained, space)
    if found.kind != name:
        raise ConfigError(f"Expected a generator of kind {name} in {pretrained}, got one of kind {found.kind}.")
    settings = replace(found.generator.settings, guidance_scale=guidance_scale)
    return found.for_conditions(condition_scales(objectives), settings, seed).generator


def condition_scales(objectives: Objectives, trials: Sequence[Trial] = ()) -> list[ConditionScale]:
    """The conditions of a search's generators: every objective, then every constraint, with what was measured."""
    from gennas.generators.conditions import ConditionScale

    wanted: list[tuple[str, Direction]] = [(o.metric, o.direction) for o in objectives.objectives]
    wanted += [(c.metric, "max" if c.sense == ">=" else "min") for c in objectives.constraints]
    values = {metric: np.array([t.metrics[metric] for t in trials], dtype=np.float64) for metric, _ in wanted}
    return [ConditionScale.of(metric, direction, values[metric]) for metric, direction in wanted]


class GeneratorSource(Source):
    """A generator with what it drew last: it draws anew when it was refitted, and serves that until the next time.

    Args:
        name: in :data:`gennas.generators.registry.GENERATORS`, or an import path.
        space: of the architectures.
        make: a new generator, not trained.
        first_steps: optimiser steps of the label-free pre-training.
        steps: optimiser steps of each refit.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        make: Callable[[], Generator],
        first_steps: int = 100,
        steps: int = 20,
    ) -> None:
        self.name, self.space, self.make = name, space, make
        self.first_steps, self.steps = first_steps, steps
        self.generator: Generator | None = None
        self.drawn = Population.of(space.schema, [])

    def prepare(self, unlabelled: Callable[[], Population], rng: np.random.Generator) -> None:
        """Make the generator, if that was not done, and pre-train it on unlabelled architectures."""
        if self.generator is not None:
            return
        self.generator = self.make()
        if self.first_steps:
            self.generator.fit(unlabelled(), steps=self.first_steps, seed=draw_seed(rng))

    def refit(
        self, archs: Population, conditions: FloatArray | None, weights: FloatArray, rng: np.random.Generator
    ) -> None:
        """Train further on what was evaluated, from the weights there are."""
        assert self.generator is not None
        if self.steps:
            self.generator.fit(archs, conditions, weights, self.steps, draw_seed(rng))

    def renew(self, n: int, conditions: FloatArray | None, rng: np.random.Generator) -> Population:
        """Draw ``n`` samples under ``conditions``, keep their canonical forms, and return them as they came."""
        assert self.generator is not None
        raw = self.generator.sample(n, conditions, seed=draw_seed(rng))
        self.drawn = self.space.canonical(raw[self.space.is_valid(raw)]) if len(raw) else raw
        return raw

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """What was drawn last, whatever ``n``."""
        return self.drawn

    def elbo_gap(self, good: Population, other: Population) -> float | None:
        """By how many nats the likelihood bound favours ``good`` ones on average; None where there is no bound."""
        elbo = getattr(self.generator, "elbo", None)
        if elbo is None:
            return None
        return float(elbo(other, num_steps=_ELBO_STEPS).mean() - elbo(good, num_steps=_ELBO_STEPS).mean())

    def state_dict(self) -> dict[str, Any]:
        """Weights and samples."""
        state: dict[str, Any] = {"drawn": self.drawn.decisions}
        if self.generator is not None:
            state["weights"] = pack_weights(self.generator)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore both."""
        self.drawn = Population.from_decisions(self.space.schema, state["drawn"])
        if "weights" in state:
            self.generator = self.make()
            unpack_weights(self.generator, state["weights"])
