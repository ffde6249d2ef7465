"""Blocks in a row of which the first so many run."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from gennas.spaces.parts.routing import Routed
from gennas.spaces.parts.sizes import Elastic

__all__ = ["Depth", "in_turn"]


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


def in_turn(blocks: nn.ModuleList, x: Tensor, *others: Tensor) -> Tensor:
    """Run blocks in turn, each on what the one before made and on ``others``."""
    if isinstance(blocks, Depth):
        made: Tensor = blocks(x, *others)
        return made
    for block in blocks:
        x = block(x, *others)
    return x
