"""A place where one of several modules stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from gennas.spaces.parts.routing import SHIFT, Routed

__all__ = ["Choice"]


class Choice(Routed, nn.ModuleDict):
    r"""The candidates of one decision at one place; only those on the route are called.

    .. math:: y = \sum_k w_k o_k(x)

    over the symbols on the route that have a module; on a single path :math:`y = o_k(x)`. A label without a module
    (``none``) contributes nothing but keeps its weight: where no module is left there is no term, and the result is
    None.

    Args:
        decision: which decision.
        candidates: module of each symbol that has one.
    """

    def __init__(self, decision: int, candidates: Mapping[int, nn.Module]) -> None:
        super().__init__({str(symbol): module for symbol, module in candidates.items()})
        self.decision = decision

    def chosen(self, decisions: Sequence[int]) -> nn.Module | None:
        """The candidate of an architecture; None where its label has no module."""
        return self._modules.get(str(int(decisions[self.decision])))

    def forward(self, *inputs: Tensor) -> Tensor | None:
        """Call the candidates on the route, and add up."""
        total: Tensor | None = None
        weights = self.route.weights(self.decision)
        for symbol, weight in weights.items():
            if str(symbol) in self:
                made = self.route.run(self[str(symbol)], *inputs)
                term = made if weight is None else weight * made
                total = term if total is None else total + term
        shift = weights.get(SHIFT)
        return total if total is None or shift is None else total + shift
