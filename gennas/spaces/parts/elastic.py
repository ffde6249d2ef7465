"""Layers whose sizes vary: leading slices of the largest's weights, which are views and share their storage.

How many channels go out the route says; how many come in is read from what arrives. Where sizes are mixed, all run
at the largest, and whoever mixes channels (linear layers, convolutions) multiplies what comes in by the factors of
:class:`~gennas.spaces.parts.Elastic`: for the hidden channels of an MLP and for the heads of an attention the result is
the weighted sum of all sizes' results exactly. A layer normalisation takes its mean and variance with these factors as
weights: an approximation of the weighted sum, exact where one weight is 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts.routing import Routed
from gennas.spaces.parts.sizes import Elastic, Size, largest, single, sized

__all__ = [
    "ElasticBatchNorm2d",
    "ElasticConv2d",
    "ElasticDepthwise1d",
    "ElasticDropout",
    "ElasticEmbedding",
    "ElasticLayerNorm",
    "ElasticLinear",
    "ElasticQKV",
    "Vector",
    "read",
]

_LEAST = 1e-12  # sum of weights that is divided by


class _Sized(Routed):
    """What reads sizes from the route."""

    def now(self, size: Size) -> int:
        """The size; in a mixture the largest that takes part."""
        return max(size.spread(self.route)) if isinstance(size, Elastic) else size

    def factors(self, size: Size) -> Tensor | None:
        """Factors of as many channels in a mixture, else None."""
        return size.factors(self.route) if isinstance(size, Elastic) else None


class ElasticLinear(_Sized, nn.Linear):
    """A linear layer of sizes that vary.

    Args:
        inputs: channels in.
        outputs: channels out.
        bias: whether to add one.
    """

    def __init__(self, inputs: Size, outputs: Size, bias: Size = True) -> None:
        super().__init__(largest(inputs), largest(outputs), bool(largest(bias)))
        self.inputs, self.outputs, self.has_bias = inputs, outputs, bias

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to the last dimension."""
        size, factors = self.now(self.outputs), self.factors(self.inputs)
        bias = self.bias[:size] if single(self.has_bias, self) else None
        return functional.linear(x if factors is None else x * factors, self.weight[:size, : x.shape[-1]], bias)


class ElasticQKV(Routed, nn.Linear):
    """Queries, keys and values of all heads, in the order (head, 3, head_dim), where width, heads and head_dim vary.

    The weights are stored as ``(3, channels, width)``, so that what is a query stays one whatever the sizes.

    Args:
        width: channels in.
        heads: number of heads.
        head_dim: channels of each.
        bias: whether to add one.
    """

    def __init__(self, width: Size, heads: Size, head_dim: Size, bias: Size = True) -> None:
        channels = largest(sized(lambda h, d: h * d, heads, head_dim))
        super().__init__(largest(width), 3 * channels, bool(largest(bias)))
        self.heads, self.head_dim, self.has_bias = heads, head_dim, bias
        self.weight = nn.Parameter(torch.unflatten(self.weight.detach(), 0, (3, channels)))
        if self.bias is not None:
            self.bias = nn.Parameter(torch.unflatten(self.bias.detach(), 0, (3, channels)))

    def ordered(self, whole: Tensor, heads: int, head_dim: int, width: int | None = None) -> Tensor:
        """The part of the weights ``(3, channels, width)`` or the bias that is used, ``(heads, 3, head_dim, …)``."""
        part = whole[:, : heads * head_dim] if width is None else whole[:, : heads * head_dim, :width]
        return torch.unflatten(part, 1, (heads, head_dim)).transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to the last dimension."""
        heads, head_dim = (single(size, self) for size in (self.heads, self.head_dim))
        weight = self.ordered(self.weight, heads, head_dim, x.shape[-1]).flatten(0, 2)
        bias = self.ordered(self.bias, heads, head_dim).flatten() if single(self.has_bias, self) else None
        return functional.linear(x, weight, bias)


class ElasticConv2d(_Sized, nn.Conv2d):
    """A convolution of sizes that vary; with ``depthwise`` every channel has its own filter.

    Args:
        inputs: channels in.
        outputs: channels out; of a depthwise convolution those that come in.
        kernel: its side.
        stride: its stride, which can be chosen, not mixed.
        depthwise: whether channels stay apart.
        groups: groups of channels that stay apart, if not all; can be chosen, not mixed.
        **options: as of :class:`torch.nn.Conv2d`.
    """

    def __init__(
        self,
        inputs: Size,
        outputs: Size,
        kernel: int,
        stride: Size = 1,
        depthwise: bool = False,
        groups: Size = 1,
        **options: Any,
    ) -> None:
        seen = 1 if depthwise else largest(sized(lambda c, g: c // g, inputs, groups))  # by each filter
        super().__init__(seen, largest(outputs), kernel, largest(stride), **options)
        self.inputs, self.outputs, self.depthwise = inputs, outputs, depthwise
        self.strides, self.groups_of = stride, groups

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(b, c, h, w)``."""
        c = x.shape[1]
        size = c if self.depthwise else self.now(self.outputs)
        factors = None if self.depthwise else self.factors(self.inputs)
        groups = c if self.depthwise else int(single(self.groups_of, self))
        weight = self.weight[:size, : c // groups]
        bias = None if self.bias is None else self.bias[:size]
        x = x if factors is None else x * factors[:, None, None]
        return functional.conv2d(x, weight, bias, single(self.strides, self), self.padding, self.dilation, groups)


class ElasticDepthwise1d(Routed, nn.Conv1d):
    """A depthwise convolution of sequences with as many channels as arrive.

    Args:
        channels: channels.
        kernel: its length.
        **options: as of :class:`torch.nn.Conv1d`.
    """

    def __init__(self, channels: Size, kernel: int, **options: Any) -> None:
        c = largest(channels)
        super().__init__(c, c, kernel, groups=c, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(b, c, t)``."""
        c = x.shape[1]
        bias = None if self.bias is None else self.bias[:c]
        return functional.conv1d(x, self.weight[:c], bias, self.stride, self.padding, self.dilation, c)


class ElasticBatchNorm2d(Routed, nn.BatchNorm2d):
    """Batch normalisation of as many channels as arrive; each channel has one mean and variance for all sizes.

    Args:
        size: channels.
        **options: as of :class:`torch.nn.BatchNorm2d`.
    """

    def __init__(self, size: Size, **options: Any) -> None:
        super().__init__(largest(size), **options)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(b, c, h, w)``."""
        c, mean, var = x.shape[1], self.running_mean, self.running_var
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else momentum
        return functional.batch_norm(
            x,
            None if mean is None else mean[:c],
            None if var is None else var[:c],
            self.weight[:c],
            self.bias[:c],
            self.training or mean is None,
            momentum,
            self.eps,
        )


class ElasticLayerNorm(_Sized, nn.LayerNorm):
    """Layer normalisation over as many channels as arrive.

    Args:
        size: channels.
        eps: added to the variance.
    """

    def __init__(self, size: Size, eps: float = 1e-5) -> None:
        super().__init__(largest(size), eps=eps)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        c, factors = x.shape[-1], self.factors(self.size)
        weight, bias = self.weight[:c], self.bias[:c]
        if factors is None:
            return functional.layer_norm(x, (c,), weight, bias, self.eps)
        shares = factors / factors.sum().clamp_min(_LEAST)
        centred = x - (x * shares).sum(-1, keepdim=True)
        variance = (centred.square() * shares).sum(-1, keepdim=True)
        return centred * (variance + self.eps).rsqrt() * weight + bias


class ElasticEmbedding(_Sized, nn.Embedding):
    """An embedding of a width that varies.

    Args:
        count: rows.
        width: channels.
    """

    def __init__(self, count: int, width: Size) -> None:
        super().__init__(count, largest(width))
        self.width = width

    def forward(self, tokens: Tensor) -> Tensor:
        """Rows of the tokens."""
        return functional.embedding(tokens, self.weight[:, : self.now(self.width)])


class ElasticDropout(Routed, nn.Dropout):
    """Dropout of a rate that varies.

    Args:
        rate: can be chosen, not mixed.
    """

    def __init__(self, rate: Any) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop numbers while it is trained."""
        return functional.dropout(x, float(single(self.rate, self)), self.training)


class Vector(_Sized):
    """A parameter of which one dimension varies, such as positions or a class token.

    Args:
        value: the largest.
        size: of that dimension.
        dim: which one.
    """

    def __init__(self, value: nn.Parameter, size: Size, dim: int = -1) -> None:
        super().__init__()
        self.weight, self.size, self.dim = value, size, dim

    def forward(self) -> Tensor:
        """Its present part."""
        return self.weight.narrow(self.dim, 0, self.now(self.size))


def read(vector: Tensor | nn.Module) -> Tensor:
    """A parameter, or the present part of a :class:`Vector`."""
    value: Tensor = vector() if isinstance(vector, nn.Module) else vector
    return value
