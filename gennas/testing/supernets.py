"""A supernet small enough for closed forms: slots of three candidates in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from gennas.graph import Architecture, GraphSchema
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from gennas.training.supernet.methods import Route

__all__ = ["ToySpace", "ToySupernet", "mix"]

LABELS = ("linear", "tanh", "skip")


class ToySpace(Space):
    """``d`` independent decisions: a linear map, its hyperbolic tangent, or a skip.

    Args:
        slots: decisions.
        width: of the vectors.
    """

    name = "toy-supernet"

    def __init__(self, slots: int = 2, width: int = 4) -> None:
        self.width = width
        masks = np.ones((slots, len(LABELS)), dtype=bool), np.ones((slots, slots, 1), dtype=bool)
        names = tuple(f"slot{t}.op" for t in range(slots))
        self.schema = GraphSchema(self.name, LABELS, ("no edge",), *masks, names)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The chosen candidates in a row, and a linear head."""
        chosen = [_candidate(int(symbol), self.width) for symbol in arch.decisions]
        return nn.Sequential(nn.Flatten(), *chosen, nn.Linear(self.width, spec.num_outputs))


class ToySupernet(nn.Module):
    """All candidates of a :class:`ToySpace`, with routes as supernets take them; counts calls of candidates.

    Args:
        space: says how many slots.
        outputs: of the head.
    """

    def __init__(self, space: ToySpace, outputs: int = 3) -> None:
        super().__init__()
        self.space = space
        self.slots = nn.ModuleList(
            nn.ModuleList(_candidate(k, space.width) for k in range(len(LABELS)))
            for _ in range(space.schema.num_decisions)
        )
        self.head = nn.Linear(space.width, outputs)
        self.calls = torch.zeros(space.schema.decision_mask.shape, dtype=torch.long)

    def forward(self, *inputs: Tensor, route: Route) -> Tensor:
        """Logits ``(b, outputs)`` of vectors or images of ``width`` numbers ``(b, …)``."""
        x = inputs[0].flatten(1)
        for t, (candidates, entry) in enumerate(zip(self.slots, route, strict=True)):
            assert isinstance(candidates, nn.ModuleList)
            x = mix(x, list(candidates), entry, self.calls[t])
        logits: Tensor = self.head(x)
        return logits

    def route_of(self, decisions: Sequence[int]) -> Route:
        """The single path of decisions."""
        return [int(symbol) for symbol in decisions]


def mix(
    x: Tensor,
    candidates: Sequence[Callable[[Tensor], Tensor]],
    entry: int | Tensor | Mapping[int, Tensor],
    calls: Tensor | None = None,
) -> Tensor:
    """What a slot gives: one candidate, all of them weighed, or those that are named, weighed; a shift is added."""
    from gennas.training.supernet.methods import SHIFT

    if isinstance(entry, int):
        weights: dict[int, Tensor | float] = {entry: 1.0}
    elif isinstance(entry, Tensor):
        weights = dict(enumerate(torch.unbind(entry)))
    else:
        weights = {k: w for k, w in entry.items() if k != SHIFT}
    if calls is not None:
        calls[list(weights)] += 1
    total = torch.stack([w * candidates[k](x) for k, w in weights.items()]).sum(0)
    return total + entry[SHIFT] if isinstance(entry, Mapping) and SHIFT in entry else total


def _candidate(symbol: int, width: int) -> nn.Module:
    match LABELS[symbol]:
        case "linear":
            return nn.Linear(width, width)
        case "tanh":
            return nn.Sequential(nn.Linear(width, width), nn.Tanh())
        case _:
            return nn.Identity()
