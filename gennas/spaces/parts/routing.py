"""Which way through a shared network: a route has one entry per decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gennas.errors import ConfigError, EvaluationError, InvalidArchitectureError

__all__ = ["SHIFT", "Entry", "Route", "Routed", "Routing", "bind"]

Entry = int | Tensor | Mapping[int, Tensor]
"""A symbol; or weights of all labels, ``(L,)``; or the weights of some symbols, the others being left out."""
Route = Sequence[Entry]
SHIFT = -1
"""Key in the weights of some symbols whose value is a number that is added to what the others gave."""


class Routing:
    """The route that a shared network follows just now; its parts read it.

    Args:
        mask: labels that each decision may take, ``(d, L)``.
        checkpointing: run blocks and candidates again in the backward pass instead of keeping what they computed.
    """

    def __init__(self, mask: NDArray[np.bool_], checkpointing: bool = False) -> None:
        self.mask, self.checkpointing = mask, checkpointing
        self.allowed = [tuple(np.flatnonzero(row).tolist()) for row in mask]
        self._route: tuple[Entry, ...] | None = None
        self._token = object()

    def __deepcopy__(self, memo: dict[int, Any]) -> Routing:
        """One for a copy of the network, which follows no route yet."""
        return Routing(self.mask, self.checkpointing)

    def __reduce__(self) -> tuple[Any, ...]:
        return Routing, (self.mask, self.checkpointing)

    def follow(self, route: Route) -> None:
        """Set the route.

        Raises:
            ConfigError: it has another number of entries, or weights of another number.
            InvalidArchitectureError: an entry names a label that the decision cannot take.
        """
        if len(route) != len(self.mask):
            raise ConfigError(f"Expected a route of {len(self.mask)} entries, one per decision, got {len(route)}.")
        self._route = tuple(self._checked(t, entry) for t, entry in enumerate(route))
        self._token = object()

    def _checked(self, t: int, entry: Entry) -> Entry:
        if isinstance(entry, Tensor):
            if entry.shape != self.mask.shape[1:]:
                raise ConfigError(
                    f"Expected weights of shape {self.mask.shape[1:]} at decision {t}, got {tuple(entry.shape)}."
                )
            return entry
        symbols = entry if isinstance(entry, Mapping) else (int(entry),)
        wrong = [s for s in symbols if s not in self.allowed[t] and not (isinstance(entry, Mapping) and s == SHIFT)]
        if wrong or not symbols:
            raise InvalidArchitectureError(
                f"Expected one of the labels {list(self.allowed[t])} at decision {t} of the route, got "
                f"{wrong[0] if wrong else 'none'}: it leads outside of the supernet."
            )
        return entry if isinstance(entry, Mapping) else int(entry)

    def weights(self, t: int) -> Mapping[int, Tensor | None]:
        """The symbols of a decision that take part, with their weights; None stands for the only one.

        Raises:
            EvaluationError: no route was set.
        """
        if self._route is None:
            raise EvaluationError("Expected a route before the shared network runs: call the supernet with route=….")
        entry = self._route[t]
        if isinstance(entry, Tensor):
            return {s: entry[s] for s in self.allowed[t]}
        return entry if isinstance(entry, Mapping) else {entry: None}

    def run(self, module: nn.Module, *inputs: Tensor) -> Tensor:
        """Call a module; with checkpointing it is called once more in the backward pass, on the same route.

        Raises:
            EvaluationError: in the backward pass, where another route was set since.
        """
        if not (self.checkpointing and module.training):
            made: Tensor = module(*inputs)
            return made
        token = self._token

        def again(*inputs: Tensor) -> Tensor:
            if self._token is not token:
                raise EvaluationError(
                    "The route changed between a checkpointed forward pass and its backward pass, which would run "
                    "other modules: run backward before the next forward pass, or do without checkpointing."
                )
            made: Tensor = module(*inputs)
            return made

        computed: Tensor = checkpoint(again, *inputs, use_reentrant=False)
        return computed


class Routed(nn.Module):
    """A part of a shared network that reads the route; :func:`bind` says which."""

    routing: Routing | None = None

    @property
    def route(self) -> Routing:
        """The route.

        Raises:
            EvaluationError: the part stands in no supernet.
        """
        if self.routing is None:
            raise EvaluationError(f"{type(self).__name__} belongs to no supernet: it cannot run by itself.")
        return self.routing


def bind(network: nn.Module, routing: Routing) -> None:
    """Let all parts of a network read one route."""
    for part in network.modules():
        if isinstance(part, Routed):
            part.routing = routing
