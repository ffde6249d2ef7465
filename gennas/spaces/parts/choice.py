"""Places where one of several modules stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts.routing import SHIFT, Routed
from gennas.spaces.parts.sizes import Elastic

__all__ = ["Alternative", "Candidates", "Choice"]


class Candidates(Routed, nn.ModuleDict):
    r"""The modules that may stand at one place; only those on the route are called.

    .. math:: y = \sum_k w_k o_k(x)

    over the labels on the route; on a single path :math:`y = o_k(x)`. A label without a module hands its input on
    where the place ``passes``; else it contributes nothing but keeps its weight, and where no module is left there is
    no term, and the result is None.

    Args:
        modules: by key.
        passes: whether a label without a module hands the first input on.
    """

    def __init__(self, modules: Mapping[str, nn.Module], passes: bool = False) -> None:
        super().__init__(modules)
        self.passes = passes

    def chosen(self, decisions: Sequence[int]) -> nn.Module | None:
        """The candidate of an architecture; None where its label has no module."""
        raise NotImplementedError(f"{type(self).__name__} must override chosen.")

    def on_route(self) -> list[tuple[str, Tensor | None]]:
        """Keys of the labels on the present route with their weights; None stands for the only one."""
        raise NotImplementedError(f"{type(self).__name__} must override on_route.")

    @property
    def is_idle(self) -> bool:
        """Whether no candidate is on the present route."""
        return not any(key in self for key, _ in self.on_route())

    def forward(self, *inputs: Tensor) -> Tensor | None:
        """Call the candidates on the route, and add up."""
        total: Tensor | None = None
        for key, weight in self.on_route():
            if key in self or self.passes:
                made = self.route.run(self[key], *inputs) if key in self else inputs[0]
                term = made if weight is None else weight * made
                total = term if total is None else total + term
        return total


class Choice(Candidates):
    r"""The candidates of one decision, see :class:`Candidates`.

    With ``partial`` above 1 the candidates see the first ``1/partial`` of the channels ``(b, C, …)``. The others pass
    with the sum of the weights, halved in size by a maximum where the candidates do so, and the channels are dealt
    round, so that the next place mixes others (PC-DARTS, Xu et al. 2020, arXiv 1907.05737).

    Args:
        decision: which decision.
        candidates: module of each symbol that has one.
        partial: one over the share of channels that they see.
        passes: whether a symbol without a module hands its input on.
    """

    def __init__(
        self, decision: int, candidates: Mapping[int, nn.Module], partial: int = 1, passes: bool = False
    ) -> None:
        super().__init__({str(symbol): module for symbol, module in candidates.items()}, passes)
        self.decision, self.partial = decision, partial

    def chosen(self, decisions: Sequence[int]) -> nn.Module | None:
        """The candidate of an architecture; None where its label has no module."""
        return self._modules.get(str(int(decisions[self.decision])))

    def on_route(self) -> list[tuple[str, Tensor | None]]:
        """Symbols on the present route with their weights."""
        return [(str(s), w) for s, w in self.route.weights(self.decision).items() if s != SHIFT]

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
        total, shift = super().forward(*inputs), self.route.weights(self.decision).get(SHIFT)
        return total if total is None or shift is None else total + shift


class Alternative(Candidates):
    """The candidates of the values that several decisions have together, see :class:`Candidates`.

    Args:
        value: what decides.
        make: the module of a value, None for one without.
        passes: whether a value without a module hands its input on.
    """

    def __init__(self, value: Elastic, make: Callable[..., nn.Module | None], passes: bool = False) -> None:
        keys = {v: str(i) for i, v in enumerate(dict.fromkeys(value.table.values()))}
        made = {key: make(v) for v, key in keys.items()}
        super().__init__({key: module for key, module in made.items() if module is not None}, passes)
        self.value, self._keys = value, keys

    def chosen(self, decisions: Sequence[int]) -> nn.Module | None:
        """The candidate of an architecture; None where its value has no module, or the place is off."""
        value = self.value.at(dict(enumerate(decisions)))
        return self._modules.get(self._keys[value]) if value in self._keys else None

    def on_route(self) -> list[tuple[str, Tensor | None]]:
        """Values on the present route with their weights."""
        return [(self._keys[v], w) for v, w in self.value.spread(self.route).items()]
