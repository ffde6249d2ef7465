"""Supernets of which every choice mixes a part of the channels: what PC-DARTS searches in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.graph import Architecture
from gennas.spaces.base import Space
from gennas.spaces.parts import Choice, Routed, bind
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.base import Supernet
from gennas.training.supernet.methods.pc_darts import partial_mixture

__all__ = ["PartialChannelSupernet", "PartialChoice"]


class PartialChoice(Routed):
    """A choice whose candidates see the first ``1/k`` of the channels; the others pass (:func:`partial_mixture`).

    Args:
        choice: candidates for ``C/k`` channels.
        k: one over the share of channels that are mixed.
    """

    def __init__(self, choice: Choice, k: int) -> None:
        super().__init__()
        self.choice, self.k = choice, k

    def forward(self, x: Tensor) -> Tensor:
        """Mix a part; what passes has the sum of the weights."""
        weights = list(self.route.weights(self.choice.decision).values())
        passing = 1.0 if weights == [None] else torch.stack([w for w in weights if w is not None]).sum()

        def mixture(first: Tensor) -> Tensor:
            mixed = self.choice(first)
            return torch.zeros_like(first) if mixed is None else mixed

        return partial_mixture(x, mixture, passing, self.k)


class PartialChannelSupernet(Supernet):
    """A supernet with :class:`PartialChoice` in the place of every choice.

    Its candidates are those of the space with ``1/k`` of the width, in the network of the full width. So they take
    ``1/k`` of the memory, and no network can inherit them: an architecture that is found is trained anew.

    Args:
        space: whose networks consist of choices that keep the number of channels, and whose width can be scaled.
        spec: the task.
        k: one over the share of channels that are mixed.
        checkpointing: whether to trade time for memory.

    Raises:
        ConfigError: the space has no supernet, no choices or sizes that vary, cannot be scaled, or has channels that
            are no multiple of ``k``.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> spec = TaskSpec("image", (3, 8, 8), 10)
        >>> supernet = PartialChannelSupernet(NASBench201(num_cells=1, width=8), spec)
        >>> supernet(torch.randn(2, 3, 8, 8), route=[3] * 6).shape
        torch.Size([2, 10])
    """

    def __init__(self, space: Space, spec: TaskSpec, k: int = 4, checkpointing: bool = False) -> None:
        if k < 1:
            raise ConfigError(f"Partial channels: expected k >= 1, got {k}.")
        super().__init__(space, spec, checkpointing)
        narrow = dict(space.scaled(width=1 / k).supernet(spec).named_modules())
        places = [(name, part) for name, part in self.shared.named_modules() if isinstance(part, Choice)]
        others = [
            type(m).__name__ for m in self.shared.modules() if isinstance(m, Routed) and not isinstance(m, Choice)
        ]
        if not places or others:
            raise ConfigError(
                f"Partial channels need a space of choices alone; that of {space.name} has {len(places)} choices"
                f"{' and ' + others[0] if others else ''}."
            )
        for name, wide in places:
            choice = narrow[name]
            assert isinstance(choice, Choice)
            _check_widths(name, wide, choice, k)
            parent, _, last = name.rpartition(".")
            _put(self.shared.get_submodule(parent), last, PartialChoice(choice, k))
        bind(self.shared, self.routing)

    def network(self, arch: Architecture) -> nn.Module:
        """Refuse: the candidates are narrower than those of a network.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "The candidates of a supernet with partial channels are narrower than those of a network, which cannot "
            "inherit them: train the architecture anew."
        )


def _put(parent: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module into the place of a child, in containers, too."""
    parent._modules[name] = module


def _check_widths(name: str, wide: Choice, narrow: Choice, k: int) -> None:
    """Refuse narrow candidates whose parameters of one dimension are not ``1/k`` of the wide ones'."""
    for (place, a), (_, b) in zip(wide.named_parameters(), narrow.named_parameters(), strict=True):
        if a.ndim == 1 and len(a) != k * len(b):
            raise ConfigError(
                f"Partial channels: expected channels that are a multiple of {k}, got {len(a)} at {name}.{place}: use "
                "a width that is."
            )
