"""Parts that share their weights among all architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from gennas.errors import ConfigError
from gennas.graph import GraphSchema
from gennas.spaces.parts.choice import Alternative, Choice
from gennas.spaces.parts.depth import Depth, Edges, Rows
from gennas.spaces.parts.elastic import (
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepthwise1d,
    ElasticDropout,
    ElasticEmbedding,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticQKV,
    Vector,
)
from gennas.spaces.parts.kernel import ElasticKernelConv2d
from gennas.spaces.parts.sizes import Elastic, Size, largest
from gennas.spaces.parts.sliced import Sliced
from gennas.spaces.parts.sources import Sources

__all__ = ["Shared"]


class Shared:
    """Parts for all architectures of a space at once, see :class:`~gennas.spaces.parts.Parts`.

    Args:
        schema: the decisions.
        partial: one over the share of channels that candidates see (PC-DARTS); networks cannot inherit from such parts
            unless it is 1.

    Raises:
        ConfigError: ``partial`` is below 1.
    """

    def __init__(self, schema: GraphSchema, partial: int = 1) -> None:
        if partial < 1:
            raise ConfigError(f"Expected partial of at least 1, got {partial}.")
        self.partial = partial
        self._allowed = [np.flatnonzero(row).tolist() for row in schema.decision_mask]

    def choice(self, decision: int, make: Callable[[int], nn.Module | None], passes: bool = False) -> nn.Module | None:
        """One module for each label that has one."""
        made = {symbol: make(symbol) for symbol in self._allowed[decision]}
        return Choice(decision, {s: module for s, module in made.items() if module is not None}, self.partial, passes)

    def alternative(self, value: Any, make: Callable[..., nn.Module | None], passes: bool = False) -> nn.Module | None:
        """One module for each value that has one."""
        return Alternative(value, make, passes) if isinstance(value, Elastic) else make(value)

    def labelled(self, value: Any, make: Callable[..., nn.Module | None], passes: bool = False) -> nn.Module | None:
        """One module for each value that has one."""
        if not isinstance(value, Elastic):
            return make(value)
        (decision,) = value.decisions
        return self.choice(decision, lambda s: make(value.table[(s,)]) if (s,) in value.table else None, passes)

    def sliced(self, make: Callable[..., nn.Module], *sizes: Size) -> nn.Module:
        """The module of the largest sizes."""
        return Sliced(make, *sizes) if any(isinstance(size, Elastic) for size in sizes) else make(*sizes)

    def sources(self, edges: Mapping[int, int | None], symbol: int) -> Sources | list[int]:
        """All that may be read."""
        return Sources(edges, symbol)

    def pick(self, decision: int, values: Mapping[int, Any]) -> Any:
        """All values by symbol."""
        return Elastic((decision,), {(s,): values[s] for s in self._allowed[decision] if s in values})

    def depth(self, count: Size, make: Callable[[int], nn.Module]) -> nn.ModuleList:
        """The blocks of the deepest."""
        blocks = [make(i) for i in range(largest(count))]
        return Depth(blocks, count) if isinstance(count, Elastic) else nn.ModuleList(blocks)

    def rows(self, groups: Sequence[tuple[Size, Callable[[int], nn.Module | None]]]) -> nn.Sequential:
        """The blocks of the deepest of every group."""
        found: list[nn.Module] = []
        for count, make in groups:
            blocks = [block for i in range(largest(count)) if (block := make(i)) is not None]
            found += [Depth(blocks, count)] if isinstance(count, Elastic) else blocks
        return Rows(*found)

    def row(self, modules: Sequence[nn.Module | None]) -> nn.Sequential:
        """All of them."""
        return Rows(*[module for module in modules if module is not None])

    def edges(self, modules: Sequence[nn.Module | None]) -> nn.ModuleList:
        """All of them."""
        return Edges(module for module in modules if module is not None)

    def share(self, channels: int) -> int:
        """``1/partial`` of them.

        Raises:
            ConfigError: they cannot be divided so.
        """
        if channels % self.partial:
            raise ConfigError(f"Expected channels that are a multiple of partial={self.partial}, got {channels}.")
        return channels // self.partial

    def linear(self, inputs: Size, outputs: Size, bias: Size = True) -> nn.Module:
        """A linear layer of the largest sizes."""
        return ElasticLinear(inputs, outputs, bias)

    def qkv(self, width: Size, heads: Size, head_dim: Size, bias: Size = True) -> nn.Module:
        """A linear layer of the largest sizes."""
        return ElasticQKV(width, heads, head_dim, bias)

    def conv(
        self,
        inputs: Size,
        outputs: Size,
        kernel: Size,
        stride: Size = 1,
        depthwise: bool = False,
        groups: Size = 1,
        **options: Any,
    ) -> nn.Module:
        """A convolution of the largest sizes; of a depthwise one the kernel may vary, too."""
        if isinstance(kernel, Elastic):
            if not depthwise or isinstance(stride, Elastic) or options.pop("bias", True):
                raise ConfigError("Expected a kernel that varies in a depthwise convolution without bias only.")
            return ElasticKernelConv2d(inputs, kernel, stride)
        return ElasticConv2d(inputs, outputs, kernel, stride, depthwise, groups, **options)

    def dropout(self, rate: Any) -> nn.Module:
        """Dropout of the rate that is chosen."""
        return ElasticDropout(rate)

    def depthwise1d(self, channels: Size, kernel: int, **options: Any) -> nn.Module:
        """A depthwise convolution of the largest size."""
        return ElasticDepthwise1d(channels, kernel, **options)

    def batch_norm(self, size: Size, **options: Any) -> nn.Module:
        """Batch normalisation of the largest size."""
        return ElasticBatchNorm2d(size, **options)

    def layer_norm(self, size: Size, eps: float = 1e-5) -> nn.Module:
        """Layer normalisation of the largest size."""
        return ElasticLayerNorm(size, eps)

    def embedding(self, count: int, width: Size) -> nn.Module:
        """An embedding of the largest width."""
        return ElasticEmbedding(count, width)

    def vector(self, make: Callable[[int], nn.Parameter], size: Size, dim: int = -1) -> nn.Parameter | nn.Module:
        """The parameter of the largest size."""
        return Vector(make(largest(size)), size, dim)
