"""One network that holds the weights of all architectures of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.parts import Choice, Route, Routing, Shared, bind, counterparts, views
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.checks import check_candidates, check_supernet

__all__ = ["Supernet"]


class Supernet(nn.Module):
    """The shared weights of a space's networks, and the ways through them.

    A route has one entry per decision: a symbol (a single path), the weights ``(L,)`` of all labels (a mixture), or
    the weights of some symbols (samples; others are not run). Along the path of an architecture the outputs are
    those of :meth:`network`, to the last bit on a CPU. The parameters are the shared weights and nothing else.

    One backward pass belongs to each forward pass. With ``checkpointing`` candidates and blocks run again in the
    backward pass, which has to come before the next forward pass; batch norms that track statistics then see every
    batch twice.

    Args:
        space: whose networks share weights.
        spec: the task.
        checkpointing: whether to trade time for memory in training.
        partial: one over the share of channels that candidates see, for PC-DARTS. With more than 1 no network inherits
            from it.

    Raises:
        ConfigError: the space has no weight-sharing network, or none for the task or its inputs, or it needs more
            memory than there is (said before any is taken).
        EvaluationError: a candidate changes the shape, which one example shows.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space, spec = NASBench201(num_cells=1, width=4), TaskSpec("image", (3, 8, 8), 10)
        >>> supernet = Supernet(space, spec).eval()
        >>> arch = space.from_text(
        ...     "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
        ... )
        >>> x = torch.randn(2, 3, 8, 8)
        >>> torch.equal(supernet(x, route=supernet.route_of(arch)), supernet.network(arch).eval()(x))
        True
    """

    def __init__(self, space: Space, spec: TaskSpec, checkpointing: bool = False, partial: int = 1) -> None:
        super().__init__()
        self.space, self.spec, self.partial = space, spec, partial
        is_checked = check_supernet(space, spec, partial)
        self.shared = space.network(Shared(space.schema, partial), spec)
        if not is_checked:
            check_candidates(self.shared, space, spec)
        if partial > 1 and not any(isinstance(module, Choice) for module in self.shared.modules()):
            raise ConfigError(f"{space.name} has no candidates that could see a part of the channels: partial=1.")
        self.routing = Routing(space.schema.decision_mask, checkpointing)
        bind(self.shared, self.routing)

    def forward(self, *inputs: Tensor, route: Route) -> Tensor:
        """Run along a route, which stays until the next call.

        Raises:
            ConfigError: the route has another number of entries or of weights.
            InvalidArchitectureError: it names a label that a decision cannot take.
        """
        self.routing.follow(route)
        outputs: Tensor = self.shared(*inputs)
        return outputs

    def route_of(self, arch: Architecture | Sequence[int] | NDArray[np.integer]) -> tuple[int, ...]:
        """The single path of an architecture, or of its decisions ``(d,)``.

        Raises:
            InvalidArchitectureError: it is not in the space.
        """
        given = self._checked(arch).decisions if isinstance(arch, Architecture) else arch
        decisions = np.asarray(given, dtype=np.int16)
        if isinstance(arch, Architecture) or self._is_valid(decisions):
            return tuple(decisions.tolist())
        raise InvalidArchitectureError(
            f"Expected decisions of an architecture of {self.space.name}, got {decisions.tolist()}: it lies outside of "
            "the supernet."
        )

    def network(self, arch: Architecture) -> nn.Module:
        """A network of its own for an architecture, as :meth:`Space.build` makes it, with copies of its weights.

        Raises:
            InvalidArchitectureError: the architecture is not of this space.
            ConfigError: candidates see a part of the channels only.
        """
        self._checked(arch)
        if self.partial > 1:
            raise ConfigError(
                f"Candidates of this supernet see 1/{self.partial} of the channels, and no network inherits from it: "
                "train the architecture alone."
            )
        with seeded(0):
            network = self.space.build(arch, self.spec)
        place = next(self.parameters())
        network.to(place.device, place.dtype).train(self.training)
        with torch.no_grad():
            for own, inherited in counterparts(network, self.shared, arch.decisions.tolist()):
                own.copy_(inherited)
        return network

    def used(self, arch: Architecture) -> Mapping[str, Tensor]:
        """Which elements of which parameters an architecture uses: masks by the parameters' names here."""
        names = {parameter.data_ptr(): name for name, parameter in self.named_parameters()}
        with seeded(0):
            network = self.space.build(self._checked(arch), self.spec)
        masks: dict[str, Tensor] = {}
        for _, view in views(network, self.shared, arch.decisions.tolist()):
            if name := names.get(view.data_ptr()):
                mask = masks.setdefault(name, torch.zeros_like(self.get_parameter(name), dtype=torch.bool))
                mask.as_strided(view.shape, view.stride()).fill_(True)  # the same view of the mask
        return masks

    def _is_valid(self, decisions: NDArray[np.int16]) -> bool:
        schema = self.space.schema
        if decisions.shape != (schema.num_decisions,) or (decisions < 0).any():
            return False
        return bool(self.space.is_valid(Population.from_decisions(schema, decisions[None]))[0])

    def _checked(self, arch: Architecture) -> Architecture:
        if arch.schema.fingerprint != self.space.schema.fingerprint:
            raise InvalidArchitectureError(
                f"Expected an architecture of {self.space.name} with the labels of the supernet, got one of "
                f"{arch.schema.name}: it lies outside of the supernet."
            )
        return arch
