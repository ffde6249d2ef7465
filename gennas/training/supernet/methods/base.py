"""What the ways to train a supernet have in common: routes, the network that takes them, and their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from torch import Tensor, nn

from gennas.registry import Registry
from gennas.spaces.base import Space
from gennas.spaces.parts import Entry, Route
from gennas.spaces.parts.routing import SHIFT

if TYPE_CHECKING:
    from gennas.training.data import Batch
    from gennas.training.step import Run

__all__ = ["METHODS", "SHIFT", "Entry", "LossOf", "Route", "Routed", "RoutedNetwork", "Routing", "routed_loss"]

LossOf: TypeAlias = Callable[[Route], Tensor]
"""Mean loss of a batch along a route, with a graph behind it."""

METHODS: Registry[Callable[..., Any]] = Registry("supernet method", "gennas.supernet_methods")
"""Path samplers and relaxations by name; each is made of a space and a :class:`~gennas.spaces.TaskSpec`."""


class RoutedNetwork(Protocol):
    """A network that is told with every pass which candidates it consists of, as a supernet is."""

    space: Space

    def __call__(self, *inputs: Tensor, route: Route) -> Tensor:
        """Outputs along a route."""


class Routing(Protocol):
    """Who knows the route of a network that is evaluated."""

    def evaluation_route(self) -> Route:
        """The route of a pass in evaluation mode."""


class Routed(nn.Module):
    """A supernet as a network without a route: a trainer's module.

    In training mode it takes :attr:`route`, which a step sets before every loss; in evaluation mode it takes the
    step's own ``evaluation_route``. Its parameters are the shared weights only.

    Args:
        supernet: a module whose ``forward(*inputs, route=…)`` takes routes.
        routing: the step that it is trained with.
    """

    def __init__(self, supernet: nn.Module, routing: Routing) -> None:
        super().__init__()
        self.supernet = supernet
        self.route: Route | None = None
        self.progress = 0.0
        self._evaluation_route = routing.evaluation_route  # a method, so that the step is not one of our modules

    def forward(self, *inputs: Tensor) -> Tensor:
        """Outputs along the route."""
        route = self.route if self.training and self.route is not None else self._evaluation_route()
        output: Tensor = self.supernet(*inputs, route=route)
        return output

    def set_progress(self, share: float) -> None:
        """Note which share of the training is done, and tell the supernet."""
        self.progress = share
        listener = getattr(self.supernet, "set_progress", None)
        if callable(listener):
            listener(share)

    @property
    def auxiliary_logits(self) -> Tensor | None:
        """Those of the supernet, if it has any."""
        return getattr(self.supernet, "auxiliary_logits", None)

    @property
    def auxiliary_weight(self) -> float:
        """That of the supernet."""
        return float(getattr(self.supernet, "auxiliary_weight", 1.0))


def routed_loss(run: Run, batch: Batch) -> LossOf:
    """The loss of a batch as a function of the route.

    Raises:
        TypeError: the run does not train a :class:`Routed` network.
    """
    module = run.module
    if not isinstance(module, Routed):
        raise TypeError(f"Expected a training of a Routed supernet, got one of {type(module).__name__}.")

    def loss_of(route: Route) -> Tensor:
        module.route = route
        return run.loss(batch)

    return loss_of
