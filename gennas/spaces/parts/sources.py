"""What a node reads: of the outputs before it, those to which an edge leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gennas.spaces.parts.routing import Routed

if TYPE_CHECKING:
    from gennas.spaces.parts.base import Parts

__all__ = ["Sources", "Taken", "added", "ends", "sources_of", "taken"]

Taken = Sequence[tuple[int, Tensor | None]]
"""Numbers of outputs that are read, each with its weight; None stands for 1."""


class Sources(Routed):
    """The outputs that a node may read, each of which an edge decides.

    Args:
        decisions: the edge's decision by the number of the output; None for one that is always read.
        symbol: of an edge that is there.
    """

    def __init__(self, decisions: Mapping[int, int | None], symbol: int) -> None:
        super().__init__()
        self.decisions, self.symbol = dict(decisions), symbol

    def taken(self) -> list[tuple[int, Tensor | None]]:
        """Those on the present route with their weights."""
        found: list[tuple[int, Tensor | None]] = []
        for source, decision in self.decisions.items():
            weights = {self.symbol: None} if decision is None else self.route.weights(decision)
            if self.symbol in weights:
                found.append((source, weights[self.symbol]))
        return found


def sources_of(parts: Parts, edges: Sequence[Mapping[int, int | None]], symbol: int = 1) -> Any:
    """What each of several nodes reads: a list, of a shared network one of modules."""
    found = [parts.sources(of_node, symbol) for of_node in edges]
    return nn.ModuleList(found) if any(isinstance(s, nn.Module) for s in found) else found


def taken(sources: Sources | Sequence[int]) -> Taken:
    """What is read; of a plain network everything that it lists."""
    return sources.taken() if isinstance(sources, Sources) else [(source, None) for source in sources]


def added(outputs: Sequence[Tensor], which: Taken) -> Tensor:
    """The weighted sum of what is read; zeros where nothing is."""
    total: Tensor | None = None
    for source, weight in which:
        term = outputs[source] if weight is None else weight * outputs[source]
        total = term if total is None else total + term
    return torch.zeros_like(outputs[0]) if total is None else total


def ends(which: Taken) -> tuple[Taken, Taken]:
    r"""The first and the last of what is read, for nodes that read two.

    In a mixture output :math:`u` is the first with weight :math:`w_u \prod_{v < u} (1 - w_v)` and the last with
    :math:`w_u \prod_{v > u} (1 - w_v)`: the probabilities if edges were independent, exact where weights are 0 and 1.

    Example:
        >>> ends([(2, None), (5, None)])
        ([(2, None)], [(5, None)])
    """
    if all(weight is None for _, weight in which):
        return list(which[:1]), list(which[-1:])
    return _firsts(which), _firsts(which[::-1])


def _firsts(which: Taken) -> list[tuple[int, Tensor | None]]:
    found: list[tuple[int, Tensor | None]] = []
    left: Tensor | None = None  # probability that none was taken yet
    for source, weight in which:
        here = torch.ones(()) if weight is None else weight
        found.append((source, here if left is None else left * here))
        left = 1 - here if left is None else left * (1 - here)
    return found
