"""Path dropout: the mean of the candidates that were not dropped."""

from __future__ import annotations

import numpy as np
import torch

from gennas.errors import ConfigError
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.sampler import PathSampler

__all__ = ["PathDropout"]


@METHODS.register("path-dropout")
class PathDropout(PathSampler):
    """Every slot gives the mean of its candidates, each of which was dropped with probability ``r**(1/k)``.

    With ``k`` candidates all of a slot are dropped with probability ``r``, whatever ``k`` is; one that is drawn
    stays then. Weights of those that stay add up to 1, so that a slot with one left is that candidate alone, as in a
    stand-alone network. ``r`` grows linearly from 0 to ``rate``. Source: Bender et al., "Understanding and Simplifying
    One-Shot Architecture Search", ICML 2018; the mean, where the source adds candidates up, is ours.

    Args:
        space: whose slots are mixed; all labels of a slot's mask take part, legal together or not.
        spec: of the task.
        rate: the last ``r``.

    Raises:
        ConfigError: the rate is outside [0, 1).
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None, rate: float = 0.5) -> None:
        if not 0 <= rate < 1:
            raise ConfigError(f"path-dropout: expected a rate in [0, 1), got {rate}.")
        super().__init__(space, spec)
        self.rate = rate

    def routes(self, rng: np.random.Generator) -> list[Route]:
        """One sparse mixture of every slot."""
        mask = self.space.schema.decision_mask
        drop = (self.rate * self.progress) ** (1 / mask.sum(1, keepdims=True))
        u = np.where(mask, rng.random(mask.shape), -1.0)
        kept = np.where((u >= drop).any(1, keepdims=True), u >= drop, u == u.max(1, keepdims=True))
        route = []
        for row in kept:
            symbols = np.flatnonzero(row).tolist()
            route.append(dict.fromkeys(symbols, torch.tensor(1.0 / len(symbols))))
        return [route]
