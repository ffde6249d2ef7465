"""Once-for-all: sizes that are set free in stages, the sandwich rule, and distillation in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, listed
from gennas.spaces.base import Space
from gennas.spaces.spec import Kind, TaskSpec
from gennas.training.kinds import classes_last
from gennas.training.supernet.methods.base import METHODS, Route, routed_loss
from gennas.training.supernet.methods.sampled import SampledStep
from gennas.training.supernet.methods.sampler import PathSampler, extreme, paths, uniform_decisions
from gennas.training.supernet.methods.weights import update_weights

if TYPE_CHECKING:
    from gennas.training.data import Batch
    from gennas.training.step import Run

__all__ = ["OnceForAll", "SandwichStep", "distillation_loss", "kind_of_decision"]


@METHODS.register("ofa")
class OnceForAll(PathSampler):
    r"""Per step the largest and the smallest path of the present stage and ``num_random`` between them.

    A decision's *kind* is the last part of its name (``unit1.layer2.k`` is of kind ``k``). In every stage the kinds
    that were set free so far are drawn, each decision uniformly among what is legal; the others stay at their largest.
    Stages are equally long. The published order for MobileNets is kernel, depth, expansion:
    ``stages=("k", "depth", "e")``; a stage of several kinds is written ``"k+e"``. Without stages everything is free
    from the beginning. Sources: Cai et al., "Once-for-All", ICLR 2020, arXiv 1908.09791; the sandwich rule is that of
    Yu and Huang 2019, arXiv 1903.05134. In the source each stage draws a number of paths of its own, without sandwich.

    Args:
        space: whose sizes are elastic.
        spec: of the task.
        stages: kinds that are set free, in order.
        num_random: paths between the extremes.

    Raises:
        ConfigError: a kind that no decision is of, or a negative number.
    """

    def __init__(
        self, space: Space, spec: TaskSpec | None = None, stages: Sequence[str] = (), num_random: int = 2
    ) -> None:
        super().__init__(space, spec)
        kinds = [kind_of_decision(space, t) for t in range(space.schema.num_decisions)]
        asked = [kind for stage in stages for kind in stage.split("+")]
        unknown = sorted(set(asked) - set(kinds))
        if unknown or num_random < 0:
            raise ConfigError(
                f"ofa: expected stages of kinds among {listed(sorted(set(kinds)))} and num_random >= 0; got "
                f"{listed(asked)} and {num_random}."
            )
        free = np.zeros(len(kinds), dtype=bool)
        self.free = []
        for stage in stages:
            free = free | np.isin(kinds, stage.split("+"))
            self.free.append(free)
        self.free = self.free or [np.ones(len(kinds), dtype=bool)]
        self.num_random = num_random

    @property
    def stage(self) -> int:
        """Number of the present stage, from 0."""
        return min(int(self.progress * len(self.free) + 1e-9), len(self.free) - 1)

    def routes(self, rng: np.random.Generator) -> list[Route]:
        """The largest path first, then the random ones, then the smallest."""
        free = self.free[self.stage]
        rows = [extreme(self.space, 1)[None]]
        if self.num_random:
            rows.append(uniform_decisions(self.space, self.num_random, rng, np.where(free, 0, 1)))
        return paths(np.concatenate([*rows, extreme(self.space, -1, free)[None]]))

    def evaluation_route(self) -> Route:
        """The largest path."""
        return paths(extreme(self.space, 1)[None])[0]


class SandwichStep(SampledStep):
    r"""Paths of which the first teaches the others: soft targets of its outputs, detached.

    The first learns from the labels; the others from

    .. math:: (1 - \gamma) L + \gamma\, \mathrm{CE}(\mathrm{softmax}(z_{first}), \mathrm{softmax}(z)) .

    Gradients are the mean over the paths, so that with one size and :math:`\gamma = 0` the step is plain training.
    Sources: as :class:`OnceForAll`; Yu et al., "BigNAS", ECCV 2020, arXiv 2003.11142 (:math:`\gamma = 1`).

    Args:
        sampler: its first route teaches.
        distillation: :math:`\gamma`, in [0, 1].

    Raises:
        ConfigError: :math:`\gamma` is outside [0, 1].
    """

    def __init__(self, sampler: PathSampler, distillation: float = 1.0) -> None:
        if not 0 <= distillation <= 1:
            raise ConfigError(f"Expected distillation in [0, 1], got {distillation}.")
        super().__init__(sampler)
        self.distillation = distillation
        self.kind: Kind = "image" if sampler.spec is None else sampler.spec.kind
        self.losses: list[Tensor] = []

    def train(self, run: Run, batch: Batch, routes: list[Route]) -> Tensor:
        """One update from the mean of the losses along all routes, the first of which teaches."""
        self.losses = []
        loss_of, taught = routed_loss(run, batch), list[Tensor]()

        def loss_along(route: Route) -> Tensor:
            with _outputs(run.module) as outputs:
                hard = loss_of(route)
            logits = classes_last(self.kind, outputs[0].float())
            logits = logits if batch.rows is None else logits[batch.rows]
            share = self.distillation if taught else 0.0
            loss = hard if share == 0 else (1 - share) * hard + share * distillation_loss(logits, taught[0])
            taught.append(logits.detach())
            self.losses.append(loss.detach())
            return loss

        return update_weights(run, [partial(loss_along, route) for route in routes], 1 / len(routes))

    def records(self) -> dict[str, float]:
        """Figures of the training so far, for trackers."""
        ends = {"largest_loss": self.losses[0], "smallest_loss": self.losses[-1]} if self.losses else {}
        return {**super().records(), **{name: float(loss) for name, loss in ends.items()}}


def distillation_loss(logits: Tensor, teacher: Tensor) -> Tensor:
    """Mean cross-entropy of logits ``(…, k)`` against the softmax of the teacher's."""
    return -(torch.softmax(teacher, -1) * nn.functional.log_softmax(logits, -1)).sum(-1).mean()


def kind_of_decision(space: Space, t: int) -> str:
    """The last part of a decision's name; ``edge`` where it is an edge."""
    slot, names = space.schema.slots[t], space.schema.node_names
    if not slot.is_node:
        return "edge"
    return names[slot.target].rsplit(".", 1)[-1] if names else "node"


@contextmanager
def _outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a module returns inside."""
    found: list[Tensor] = []
    handle = module.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    try:
        yield found
    finally:
        handle.remove()
