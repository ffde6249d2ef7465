"""Paths that are level over sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.graph import IntArray, Population
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.sampler import PathSampler, extreme, paths, uniform_decisions

__all__ = ["ParameterBins"]


@METHODS.register("parameter-bins")
class ParameterBins(PathSampler):
    """One path per step, of the size that was trained least so far.

    The range of parameters, from the smallest to the largest architecture label by label, is cut into equal
    bins. Out of ``tries`` paths, every decision uniform among what is legal, the one in the least trained bin is taken.
    Uniform sampling would concentrate on middle sizes. Source: the idea of parameter bins of the package whittle;
    the rule is ours.

    Args:
        space: counts parameters.
        spec: of the task.
        bins: number of bins.
        tries: paths that are drawn for a step.

    Raises:
        ConfigError: the space counts no parameters, there is no task, or a number is out of range.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None, bins: int = 10, tries: int = 50) -> None:
        if spec is None or bins < 1 or tries < 1:
            raise ConfigError(
                f"parameter-bins: expected a task's spec, bins and tries of at least 1; got "
                f"{'none' if spec is None else 'one'}, {bins}, {tries}."
            )
        super().__init__(space, spec)
        self._spec = spec
        ends = self._parameters(np.stack([extreme(space, -1), extreme(space, 1)]))
        drawn = self._parameters(uniform_decisions(space, 200, np.random.default_rng(0)))
        low, high = min(ends.min(), drawn.min()), max(ends.max(), drawn.max())
        self.edges = np.linspace(low, high, bins + 1)[1:-1]
        self.counts = np.zeros(bins, dtype=np.int64)
        self.tries = tries

    def routes(self, rng: np.random.Generator) -> list[Route]:
        """The drawn path in the bin with the lowest count; the first of them where several are."""
        D = uniform_decisions(self.space, self.tries, rng)
        bins = np.digitize(self._parameters(D), self.edges)
        best = int(self.counts[bins].argmin())
        self.counts[bins[best]] += 1
        return paths(D[best : best + 1])

    def _parameters(self, D: IntArray) -> NDArray[np.int64]:
        found = self.space.count_parameters(Population.from_decisions(self.space.schema, D), self._spec)
        if found is None:
            raise ConfigError(f"parameter-bins: {self.space.name} cannot count parameters without building networks.")
        return found

    def state_dict(self) -> dict[str, Tensor]:
        """How often each bin was trained."""
        return {"bins": torch.from_numpy(self.counts.copy())}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on with these counts."""
        self.counts = state["bins"].numpy().copy()
