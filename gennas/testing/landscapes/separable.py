"""A deep chain in which every decision counts for itself."""

from __future__ import annotations

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.testing.landscapes.base import DRAWS, LANDSCAPES, FloatArray, Landscape, standardised
from gennas.testing.landscapes.spaces import DeepChain

__all__ = ["SeparableLandscape"]


@LANDSCAPES.register("separable")
class SeparableLandscape(Landscape):
    r"""The easiest question in a large space: independent effects of 75 decisions, no bound, no interaction.

    .. math:: f(a) = \sum_t u_t[a_t], \quad u_t \sim N(0, s_t^2), \quad s_t = e^{z_t / 2}, \; z_t \sim N(0, 1)

    ``off`` counts nothing, so that a layer is worth having if its effects are positive. Values are standard deviations
    of random architectures, from their mean; the optimum is exactly known.

    Args:
        space: the chain; by default 34 to 36 layers.
        seed: of the effects.

    Raises:
        ConfigError: another kind of space.
    """

    def __init__(self, space: DeepChain | None = None, seed: int = 0) -> None:
        space = space or DeepChain()
        if not isinstance(space, DeepChain):
            raise ConfigError(f"Expected a DeepChain for the separable landscape, got {space.name}.")
        super().__init__(space, f"separable, seed {seed}")
        rng, mask = np.random.default_rng((5, seed)), space.schema.decision_mask
        effects = rng.standard_normal(mask.shape) * rng.lognormal(0.0, 0.5, (len(mask), 1))
        effects[:, len(space.schema.node_labels) - 1] = 0.0  # off
        self._effects = np.where(mask, effects, 0.0)
        drawn = self._sums(space.sample(DRAWS, rng))
        self._mean, self._scale = drawn.mean(), drawn.std()
        self.optimum = (self._best(space) - self._mean) / self._scale

    def _best(self, space: DeepChain) -> float:
        """The best depth with the best label of every decision."""
        schema, found = space.schema, []
        depth = next(t for t, slot in enumerate(schema.slots) if schema.node_names[slot.target] == "depth")
        for label in np.flatnonzero(schema.decision_mask[depth]):
            D = np.full((1, schema.num_decisions), label, dtype=np.int16)
            for t in range(schema.num_decisions):
                if t != depth:
                    D[0, t] = np.where(space.legal(D, t)[0], self._effects[t], -np.inf).argmax()
            found.append(self._sums(Population.from_decisions(schema, D))[0])
        return float(max(found))

    def _sums(self, population: Population) -> FloatArray:
        D = population.decisions.astype(np.intp)
        sums: FloatArray = self._effects[np.arange(D.shape[1]), D].sum(1)
        return sums

    def values(self, population: Population) -> FloatArray:
        """The sum of effects, standardised, ``(b,)``."""
        return standardised(self._sums(population), self._mean, self._scale)
