"""GDAS: one candidate per slot, sampled with Gumbel noise, with a gradient for the parameters."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, SHIFT, Route
from gennas.training.supernet.methods.probabilities import gumbel_softmax, straight_through
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["GDAS"]

Gradient = Literal["selected", "reference", "full"]


@METHODS.register("gdas")
class GDAS(Relaxation):
    r"""Every slot calls only the candidate :math:`k^*` with the largest weight of a relaxed sample ``q``.

    .. math::
        q = \mathrm{softmax}((\log p + g) / \tau), \qquad h = \mathrm{onehot}(k^*) - \mathrm{stop}(q) + q, \qquad
        \partial L / \partial \alpha = J c, \quad J = (\mathrm{diag}(q) - q q^T) / \tau .

    The value is that of the sampled path in all three forms, which differ in ``c``, with
    :math:`G = \partial L / \partial y`:

    - ``full``: :math:`c_k = \langle G, o_k(x) \rangle`; all candidates are called.
    - ``reference``: :math:`c_{k^*} = \langle G, o_{k^*}(x) \rangle` and :math:`c_j = \sum G` for the others, which
      enter as numbers that are zero: what the published code computes.
    - ``selected``: :math:`c_j = 0` for the others.

    The temperature falls linearly. Source: Dong and Yang, "Searching for a Robust Neural Architecture in Four GPU
    Hours", CVPR 2019, arXiv 1910.04465.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
        tau_start: first temperature.
        tau_end: last temperature.
        gradient: the form.

    Raises:
        ConfigError: a temperature is not positive, or there is no such form.
    """

    def __init__(
        self,
        space: Space,
        spec: TaskSpec | None = None,
        tau_start: float = 10.0,
        tau_end: float = 0.1,
        gradient: Gradient = "selected",
    ) -> None:
        if tau_start <= 0 or tau_end <= 0 or gradient not in ("selected", "reference", "full"):
            raise ConfigError(
                "gdas: expected temperatures above 0 and gradient selected, reference or full; "
                f"got {tau_start}, {tau_end}, {shown(gradient)}."
            )
        super().__init__(space, spec)
        self.tau, self.gradient = (tau_start, tau_end), gradient

    def route(self) -> Route:
        """The sampled candidates with weights of 1 that carry the gradient."""
        return self.route_of(gumbel_softmax(self.alpha, self.mask, self.temperature(self.tau)))

    def weight_route(self) -> Route:
        """Sampled candidates, as numbers."""
        with torch.no_grad():
            q = gumbel_softmax(self.alpha, self.mask, self.temperature(self.tau))
        return self.strongest(q)

    def evaluation_route(self) -> Route:
        """The likeliest candidates."""
        return self.likeliest()

    def route_of(self, q: Tensor) -> Route:
        """The route of a relaxed sample ``q (d, L)``."""
        symbols = self.strongest(q.detach())
        chosen = torch.tensor(symbols, device=q.device)
        h = straight_through(torch.nn.functional.one_hot(chosen, q.shape[1]).to(q), q)
        if self.gradient == "full":
            return list(torch.unbind(h))
        selected = h.gather(1, chosen[:, None])[:, 0]
        if self.gradient == "selected":
            return [{k: selected[t]} for t, k in enumerate(symbols)]
        others = (q - q.detach()).scatter(1, chosen[:, None], 0.0).sum(1)
        return [{k: selected[t], SHIFT: others[t]} for t, k in enumerate(symbols)]
