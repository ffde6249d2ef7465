"""A module of any kind whose parameters are leading slices of the largest's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gennas.spaces.parts.routing import Routed
from gennas.spaces.parts.sizes import Size, largest, single

__all__ = ["Sliced"]


class Sliced(Routed):
    """Runs the code of the module of the present sizes on leading slices of the largest one's weights and buffers.

    For modules that no elastic layer stands for, such as torch-geometric's operators. Slices are views and share their
    storage. Sizes can be chosen, not mixed.

    Args:
        make: the module of some sizes.
        sizes: the sizes, of which the largest together need the largest weights.
    """

    def __init__(self, make: Callable[..., nn.Module], *sizes: Size) -> None:
        super().__init__()
        self.make, self.sizes = make, sizes
        self.whole = make(*map(largest, sizes))
        self._alike: dict[tuple[Any, ...], nn.Module] = {}  # code without weights, by sizes

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the module of the present sizes gives."""
        sizes = tuple(single(size, self) for size in self.sizes)
        if sizes not in self._alike:
            with torch.device("meta"):
                self._alike[sizes] = self.make(*sizes)
        module = self._alike[sizes].train(self.training)
        whole = {**dict(self.whole.named_parameters()), **dict(self.whole.named_buffers())}
        parts = (*module.named_parameters(), *module.named_buffers())
        made: Tensor = functional_call(
            module, {name: whole[name][tuple(map(slice, own.shape))] for name, own in parts}, inputs
        )
        return made
