"""Blocks in a row: the first so many run, or those that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from torch import Tensor, nn

from gennas.spaces.parts.choice import Candidates
from gennas.spaces.parts.routing import Routed
from gennas.spaces.parts.sizes import Elastic

__all__ = ["Depth", "Edges", "Rows", "in_turn", "running"]


class Depth(Routed, nn.ModuleList):
    r"""The blocks of the deepest network; the first :math:`d` run.

    With weights :math:`w_d` of depths the result is :math:`\sum_d w_d h_d` of the outputs :math:`h_d` after ``d``
    blocks, computed in one pass.

    Args:
        blocks: all of them.
        depth: how many run.
    """

    def __init__(self, blocks: Iterable[nn.Module], depth: Elastic) -> None:
        super().__init__(blocks)
        self.depth = depth

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """Run the blocks in turn, each on what the one before made and on ``others``."""
        spread, total = self.depth.spread(self.route), None
        weight = spread.get(0)
        if weight is not None:
            total = weight * x
        for i, block in enumerate(list(self)[: max(spread)], start=1):
            x = self.route.run(block, x, *others)
            weight = spread.get(i)
            if weight is not None:
                total = weight * x if total is None else total + weight * x
        return x if total is None else total


class Rows(Routed, nn.Sequential):
    """Groups of blocks in a row, each of a depth of its own; a plain network has the blocks that run in one list.

    Args:
        parts: blocks that always run, places that pass where they have no module, and :class:`Depth` for groups of
            variable depth.
    """

    def present(self, decisions: Sequence[int]) -> list[nn.Module]:
        """The blocks of an architecture, in the order of the plain network's."""
        symbols = dict(enumerate(decisions))
        found: list[nn.Module] = []
        for part in self:
            found += list(part)[: part.depth.at(symbols)] if isinstance(part, Depth) else [part]
        return _there(found, decisions)


class Edges(Routed, nn.ModuleList):
    """Places of which a plain network has those that are not ``none``, in one list.

    Args:
        choices: one for each place.
    """

    def present(self, decisions: Sequence[int]) -> list[nn.Module]:
        """The modules of an architecture, in the order of the plain network's."""
        return _there(self, decisions)


def _there(modules: Iterable[nn.Module], decisions: Sequence[int]) -> list[nn.Module]:
    """Modules and the chosen candidates of places that have one."""
    found = [place.chosen(decisions) if isinstance(place, Candidates) else place for place in modules]
    return [module for module in found if module is not None]


def in_turn(blocks: nn.ModuleList, x: Tensor, *others: Tensor) -> Tensor:
    """Run blocks in turn, each on what the one before made and on ``others``."""
    if isinstance(blocks, Depth):
        made: Tensor = blocks(x, *others)
        return made
    for block in blocks:
        x = block(x, *others)
    return x


def running(blocks: nn.ModuleList) -> list[Callable[..., Tensor]]:
    """The blocks that run on a single path, for networks that do more than hand from one to the next.

    Raises:
        ConfigError: the route mixes depths.
    """
    if not isinstance(blocks, Depth):
        return list(blocks)
    count, route = int(blocks.depth.single(blocks.route)), blocks.route
    return [partial(route.run, block) for block in list(blocks)[:count]]
