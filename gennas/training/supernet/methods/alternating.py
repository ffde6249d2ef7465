"""Alternating optimisation: architecture parameters on validation batches, weights on training batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gennas.errors import CheckpointError, ConfigError
from gennas.training.state import fill_optimizer, optimizer_tensors
from gennas.training.supernet.diagnostics.collapse import CollapseMonitor
from gennas.training.supernet.diagnostics.curvature import Curvature, largest_curvature
from gennas.training.supernet.diagnostics.share import decision_entropies, mean_entropy, skip_share
from gennas.training.supernet.methods.base import LossOf, Route, Routed, routed_loss
from gennas.training.supernet.methods.relaxation import Relaxation
from gennas.training.supernet.methods.unrolled import sgd_direction, unrolled_gradients
from gennas.training.supernet.methods.validation import ValidationBatches
from gennas.training.supernet.methods.weights import update_weights

if TYPE_CHECKING:
    from gennas.training.data import Batch
    from gennas.training.step import Run

__all__ = ["AlternatingStep"]


class AlternatingStep:
    r"""One step of any differentiable method: first the parameters, then the weights.

    1. :math:`\alpha \leftarrow \mathrm{Adam}(\alpha, \nabla_\alpha L_{val}(w, \alpha))` on a batch of the
       validation part, or with the unrolled gradient where ``order`` is 2;
    2. :math:`w` moves along the gradient of :math:`L_{train}(w, \alpha)`, by the training's optimiser.

    The training's network is a :class:`~gennas.training.supernet.methods.base.Routed` supernet. As a step it has a
    state (:meth:`state_dict`): parameters, their Adam, the place in the validation part and the monitor's history.

    Args:
        relaxation: the method.
        lr: learning rate of the parameters, by default the method's.
        order: 1, or 2 for the gradient through one step of the weights, which costs three more passes.
        radius: of the finite difference of order 2.
        frozen: share of the training in whose beginning only the weights learn; by default the method's.
        every: steps of the weights for one of the parameters.
        monitor: watches for collapse once an epoch. When it fires, the parameters go back to where they were when
            it saw nothing, and stay there; the weights go on learning.
        seed: of the order of validation batches.

    Raises:
        ConfigError: a setting is out of range, or order 2 with a method that draws random numbers.
    """

    def __init__(
        self,
        relaxation: Relaxation,
        *,
        lr: float | None = None,
        order: int = 1,
        radius: float = 0.01,
        frozen: float | None = None,
        every: int = 1,
        monitor: CollapseMonitor | None = None,
        seed: int = 0,
    ) -> None:
        frozen = relaxation.frozen if frozen is None else frozen
        settings = {**relaxation.adam, **({} if lr is None else {"lr": lr})}
        if order not in (1, 2) or radius <= 0 or not 0 <= frozen <= 1 or every < 1 or not settings["lr"] > 0:
            raise ConfigError(
                "Expected order 1 or 2, radius above 0, frozen in [0, 1], every of at least 1 and lr above 0; got "
                f"{order}, {radius}, {frozen}, {every}, {settings['lr']}."
            )
        if order == 2 and not relaxation.is_deterministic:
            raise ConfigError(
                f"{type(relaxation).__name__} draws random numbers, so that no unrolled step can be differentiated; "
                "use order 1."
            )
        self.relaxation, self.order, self.radius, self.frozen, self.every = relaxation, order, radius, frozen, every
        self.monitor, self.seed = monitor, seed
        self.optimizer = torch.optim.Adam(relaxation.parameters(), **settings)
        self.validation: ValidationBatches | None = None
        self.steps, self.curvature = 0, Curvature(float("nan"), 0)
        self._place, self._epoch = (0, 0), -1.0
        self._kept: dict[str, Tensor] | None = None

    # ------------------------------------------------------------------ the step

    def run(self, run: Run, batch: Batch) -> Tensor:
        """Change parameters and weights, move the schedule on by one; the mean training loss, detached."""
        self._prepare(run)
        loss_of = routed_loss(run, batch)
        if self._learns and self.steps % self.every == 0:
            self._update_parameters(run, loss_of)
        self.steps += 1
        return update_weights(run, [lambda: loss_of(self.relaxation.weight_route())])

    @property
    def _learns(self) -> bool:
        return self.relaxation.progress >= self.frozen and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether the monitor fired."""
        return self.monitor is not None and self.monitor.fired

    def evaluation_route(self) -> Route:
        """The route that the supernet is evaluated along while it learns."""
        return self.relaxation.evaluation_route()

    def records(self) -> dict[str, float]:
        """Figures of the search so far, for trackers: entropy, share of skips, curvature.

        ``alpha_entropy`` is the mean over decisions, ``alpha_entropy/00_…`` that of each, by place and name.
        """
        p, schema = self.relaxation.probabilities().detach(), self.relaxation.space.schema
        found = {"alpha_entropy": mean_entropy(p), "skip_share": skip_share(p, schema)}
        if self.curvature.iterations:
            found["alpha_curvature"] = self.curvature.value
        if self.monitor is not None:
            found["collapsed"] = float(self.monitor.fired)
        return found | {f"alpha_entropy/{name}": h for name, h in decision_entropies(p, schema).items()}

    # ------------------------------------------------------------------ the parameters

    def _update_parameters(self, run: Run, train_loss_of: LossOf) -> None:
        assert self.validation is not None
        relaxation, parameters = self.relaxation, list(self.relaxation.parameters())
        val_loss_of = routed_loss(run, next(self.validation))
        if self.order == 1:
            objective = relaxation.objective(val_loss_of)
            gradients = torch.autograd.grad(objective, parameters, allow_unused=True)
        else:
            gradients = tuple(
                unrolled_gradients(
                    parameters,
                    run.parameters,
                    lambda: train_loss_of(relaxation.route()),
                    lambda: relaxation.objective(val_loss_of),
                    run.optimizer.param_groups[0]["lr"],
                    self.radius,
                    sgd_direction(run.optimizer, run.parameters),
                )
            )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        before = {name: p.detach().clone() for name, p in relaxation.named_parameters()}
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        relaxation.settle(before)

    def _prepare(self, run: Run) -> None:
        """Follow the training: its device, its progress, and the beginning of an epoch."""
        module = run.module
        device = run.parameters[0].device
        if next(self.relaxation.parameters()).device != device:
            self.relaxation.to(device)
            self.optimizer.load_state_dict(self.optimizer.state_dict())  # moves the moments
        if self.validation is None or self.validation.data is not run.data:
            self.validation = ValidationBatches(run.data, run.config.batch_size, self.seed)
            self.validation.seek(*self._place)
        if isinstance(module, Routed):
            self.relaxation.progress = module.progress
            if module.progress != self._epoch:
                self._epoch = module.progress
                if self.monitor is not None and self._learns:
                    self._look_for_collapse(run, self.monitor)

    def _look_for_collapse(self, run: Run, monitor: CollapseMonitor) -> None:
        """Tell the monitor how things are; keep the parameters if all is well, else take back the kept ones."""
        assert self.validation is not None
        relaxation = self.relaxation
        if monitor.needs_curvature:
            loss_of = routed_loss(run, next(self.validation))
            self.curvature = largest_curvature(
                lambda: relaxation.objective(loss_of), list(relaxation.parameters()), monitor.iterations
            )
        share = skip_share(relaxation.probabilities().detach(), relaxation.space.schema)
        if monitor.update(share, self.curvature.value) and self._kept is not None:
            relaxation.load_state_dict(self._kept)
        elif not monitor.fired:
            self._kept = {name: t.detach().clone() for name, t in relaxation.state_dict().items()}

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as tensors by dotted name."""
        place = self._place if self.validation is None else (self.validation.passes, self.validation.position)
        found = {f"relaxation.{name}": t for name, t in self.relaxation.state_dict().items()}
        found |= {f"adam.{name}": t for name, t in optimizer_tensors(self.optimizer).items()}
        found |= {f"kept.{name}": t for name, t in (self._kept or {}).items()}
        found["counts"] = torch.tensor([self.steps, *place])
        if self.monitor is not None:
            found |= {f"monitor.{name}": t for name, t in self.monitor.state_dict().items()}
        return found

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises:
            CheckpointError: it is the state of another method.
        """
        parts: dict[str, dict[str, Any]] = {"relaxation": {}, "adam": {}, "kept": {}, "monitor": {}}
        for name, tensor in state.items():
            part, _, rest = name.partition(".")
            if part in parts:
                parts[part][rest] = tensor
        try:
            self.relaxation.load_state_dict(parts["relaxation"])
            fill_optimizer(self.optimizer, parts["adam"])
            self.steps, *place = (int(x) for x in state["counts"])
            if self.monitor is not None:
                self.monitor.load_state_dict(parts["monitor"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"The state is not one of an alternating step with {type(self.relaxation).__name__}: {error}"
            ) from error
        self._place, self._kept = (place[0], place[1]), parts["kept"] or None
        if self.validation is not None:
            self.validation.seek(*self._place)
