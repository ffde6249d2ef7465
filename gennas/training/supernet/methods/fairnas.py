"""FairNAS: in every step each candidate of each slot is trained equally often."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.sampler import PathSampler, paths

__all__ = ["FairNAS"]


@METHODS.register("fairnas")
class FairNAS(PathSampler):
    """Per step ``L`` paths, one permutation of the candidates for every slot; gradients added up, one update.

    After S steps every candidate of every slot was trained exactly S times. Where slots have different numbers of
    candidates, ``L`` is the largest, and every slot goes on through permutations of its own, one after the other:
    the counts of its candidates never differ by more than one. Source: Chu, Zhang and Xu, "FairNAS: Rethinking
    Evaluation Fairness of Weight Sharing Neural Architecture Search", ICCV 2021, arXiv 1907.01845.

    Args:
        space: whose decisions are independent.
        spec: of the task.

    Raises:
        ConfigError: which labels a decision may take depends on other decisions.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None) -> None:
        super().__init__(space, spec)
        mask = space.schema.decision_mask
        self._labels = [np.flatnonzero(row) for row in mask]
        self._queues: list[list[int]] = [[] for _ in mask]
        drawn = self._draw(np.random.default_rng(0), 64)
        if not space.is_valid(Population.from_decisions(space.schema, drawn)).all():
            raise ConfigError(
                f"fairnas: expected independent decisions; in {space.name} they depend on one another, so that no "
                "permutations of candidates make legal paths. Use spos."
            )
        self._queues = [[] for _ in mask]

    def routes(self, rng: np.random.Generator) -> list[Route]:
        """As many paths as the slot with the most candidates has."""
        return paths(self._draw(rng, max(map(len, self._labels))))

    def _draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """The next ``n`` candidates of every slot, ``(n, d)``."""
        for labels, queue in zip(self._labels, self._queues, strict=True):
            while len(queue) < n:
                queue += rng.permutation(labels).tolist()
        taken = np.array([queue[:n] for queue in self._queues], dtype=np.int64).T
        self._queues = [queue[n:] for queue in self._queues]
        return taken.reshape(n, len(self._labels))

    def state_dict(self) -> dict[str, Tensor]:
        """What is left of the permutations, -1 where nothing is."""
        width = max(map(len, self._queues), default=0)
        rows = [queue + [-1] * (width - len(queue)) for queue in self._queues]
        return {"queues": torch.tensor(rows, dtype=torch.long).reshape(len(rows), width)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on with what was left."""
        self._queues = [[symbol for symbol in row if symbol >= 0] for row in state["queues"].tolist()]
