"""A place where one of several modules stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts.routing import SHIFT, Routed

__all__ = ["Choice"]


class Choice(Routed, nn.ModuleDict):
    r"""The candidates of one decision at one place; only those on the route are called.

    .. math:: y = \sum_k w_k o_k(x)

    over the symbols on the route that have a module; on a single path :math:`y = o_k(x)`. A label without a module
    (``none``) contributes nothing but keeps its weight: where no module is left there is no term, and the result is
    None.

    With ``partial`` above 1 the candidates see the first ``1/partial`` of the channels ``(b, C, …)``. The others pass
    with the sum of the weights, halved in size by a maximum where the candidates do so, and the channels are dealt
    round, so that the next place mixes others (PC-DARTS, Xu et al. 2020, arXiv 1907.05737).

    Args:
        decision: which decision.
        candidates: module of each symbol that has one.
        partial: one over the share of channels that they see.
    """

    def __init__(self, decision: int, candidates: Mapping[int, nn.Module], partial: int = 1) -> None:
        super().__init__({str(symbol): module for symbol, module in candidates.items()})
        self.decision, self.partial = decision, partial

    def chosen(self, decisions: Sequence[int]) -> nn.Module | None:
        """The candidate of an architecture; None where its label has no module."""
        return self._modules.get(str(int(decisions[self.decision])))

    @property
    def is_idle(self) -> bool:
        """Whether no candidate is on the present route."""
        return not any(str(symbol) in self for symbol in self.route.weights(self.decision))

    def forward(self, *inputs: Tensor) -> Tensor | None:
        """Call the candidates on the route, and add up."""
        if self.partial == 1:
            return self._mixed(*inputs)
        (x,) = inputs
        seen = x.shape[1] // self.partial
        mixed, rest = self._mixed(x[:, :seen]), x[:, seen:]
        if mixed is None:
            return None
        if mixed.shape[2:] != rest.shape[2:]:
            rest = functional.max_pool2d(rest, 2, ceil_mode=True)
        known = [w for w in self.route.weights(self.decision).values() if w is not None]
        rest = rest * torch.stack(known).sum() if known else rest
        b, c, *places = (joined := torch.cat([mixed, rest], 1)).shape
        return joined.reshape(b, self.partial, c // self.partial, *places).transpose(1, 2).reshape(b, c, *places)

    def _mixed(self, *inputs: Tensor) -> Tensor | None:
        total: Tensor | None = None
        weights = self.route.weights(self.decision)
        for symbol, weight in weights.items():
            if str(symbol) in self:
                made = self.route.run(self[str(symbol)], *inputs)
                term = made if weight is None else weight * made
                total = term if total is None else total + term
        shift = weights.get(SHIFT)
        return total if total is None or shift is None else total + shift
