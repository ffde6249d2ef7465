"""The step of methods that train sampled paths."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from gennas.training.supernet.diagnostics.fairness import PathCounts
from gennas.training.supernet.methods.base import Route, Routed, routed_loss
from gennas.training.supernet.methods.sampler import PathSampler, draw_rng
from gennas.training.supernet.methods.weights import update_weights

if TYPE_CHECKING:
    from gennas.training.data import Batch
    from gennas.training.step import Run

__all__ = ["SampledStep"]


class SampledStep:
    """Loss along every route of a sampler, gradients added up, one step of the optimiser.

    The training's network is a :class:`~gennas.training.supernet.methods.base.Routed` supernet. The step counts how
    often every candidate was trained.

    Args:
        sampler: the method.
    """

    def __init__(self, sampler: PathSampler) -> None:
        self.sampler, self.counts = sampler, PathCounts(sampler.space.schema)

    def run(self, run: Run, batch: Batch) -> Tensor:
        """Train the routes, move the schedule on by one; the mean of their losses, detached."""
        if isinstance(run.module, Routed):
            self.sampler.progress = run.module.progress
        routes = self.sampler.routes(draw_rng())
        self.counts.add(routes)
        return self.train(run, batch, routes)

    def train(self, run: Run, batch: Batch, routes: list[Route]) -> Tensor:
        """One update from the losses along all routes; their mean, detached."""
        loss_of = routed_loss(run, batch)
        return update_weights(run, [partial(loss_of, route) for route in routes])

    def evaluation_route(self) -> Route:
        """The sampler's."""
        return self.sampler.evaluation_route()

    def records(self) -> dict[str, float]:
        """Figures of the training so far, for trackers: how fair the paths are."""
        return {"path_fairness": self.counts.fairness}

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, and the counts, as tensors."""
        return {"counts": self.counts.table} | {f"sampler.{name}": t for name, t in self.sampler.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        self.counts.table = state["counts"].clone()
        own = {name.removeprefix("sampler."): t for name, t in state.items() if name.startswith("sampler.")}
        self.sampler.load_state_dict(own)
