"""The base class of methods that train sampled paths, and ways to draw decisions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import CheckpointError
from gennas.graph import IntArray
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import Route

__all__ = ["PathSampler", "draw_rng", "extreme", "label_order", "paths", "uniform_decisions"]


class PathSampler(ABC):
    """Says along which routes the weights learn from a batch.

    The gradients of all routes of a step are added up, then the weights move once. Random numbers come from the
    generator that is handed over, which is seeded from PyTorch's global state.

    Args:
        space: whose architectures are drawn.
        spec: of the task.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None) -> None:
        self.space, self.spec, self.progress = space, spec, 0.0

    @abstractmethod
    def routes(self, rng: np.random.Generator) -> list[Route]:
        """The routes of one step."""

    def evaluation_route(self) -> Route:
        """The route that the supernet is evaluated along while it learns: always the same path."""
        return paths(self.space.sample(1, np.random.default_rng(0)).decisions)[0]

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on; nothing for most samplers."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        if state:
            raise CheckpointError(f"{type(self).__name__} has no state of its own, got {', '.join(state)}.")


def paths(D: NDArray[np.integer]) -> list[Route]:
    """The single-path routes of decisions ``(b, d)``."""
    return [list(row) for row in D.tolist()]


def draw_rng() -> np.random.Generator:
    """A generator seeded from PyTorch's global random state, which a training saves and restores."""
    return np.random.default_rng(int(torch.randint(2**62, ()).item()))


def uniform_decisions(
    space: Space, n: int, rng: np.random.Generator, rule: NDArray[np.integer] | None = None
) -> IntArray:
    """Draw ``n`` rows of decisions ``(n, d)``, each uniformly among the labels that are legal after the ones before.

    Unlike :meth:`Space.sample <gennas.spaces.Space.sample>` this is not uniform over architectures where choices depend
    on one another: depths, for one, come out equally often.

    Args:
        space: says what is legal.
        n: rows.
        rng: source of randomness.
        rule: for every decision 0 to draw it, 1 for its largest legal label, -1 for its smallest, ``(d,)``.
    """
    d = space.schema.num_decisions
    D, order = np.zeros((n, d), dtype=np.int16), label_order(space)
    for t in range(d):
        legal = space.legal(D, t)
        sign = 0 if rule is None else int(rule[t])
        keys = rng.random(legal.shape) if sign == 0 else np.broadcast_to(sign * order[t], legal.shape)
        D[:, t] = np.where(legal, keys, -np.inf).argmax(1)
    return D


def extreme(space: Space, sign: int, free: NDArray[np.bool_] | None = None) -> IntArray:
    """Decisions ``(d,)`` of the largest (1) or smallest (-1) architecture, label by label, each among what is legal.

    Labels are ordered by :func:`label_order`. Decisions that are not ``free`` are at their largest.
    """
    d = space.schema.num_decisions
    rule = np.where(np.ones(d, dtype=bool) if free is None else free, sign, 1)
    row: IntArray = uniform_decisions(space, 1, np.random.default_rng(0), rule)[0]
    return row


def label_order(space: Space) -> NDArray[np.float64]:
    """A number for every label by which larger ones are larger, ``(d, L)``: its value in ``schema.ordinals``.

    Labels without one are ordered by their place, below all that have one.
    """
    schema = space.schema
    order = np.zeros(schema.decision_mask.shape)
    for t, symbol in zip(*np.nonzero(schema.decision_mask), strict=True):
        value = schema.ordinals.get(schema.label(int(t), int(symbol)))
        order[t, symbol] = symbol - 1e9 if value is None else value
    return order
