r"""Encoders whose layers mix tokens by attention, by a fixed transform or by a span-based convolution.

Tokens are ``x (b, t, h)``. A layer normalises after adding, as BERT does:

.. math:: y = LN(x + Mix(x)), \quad z = LN(y + FF(y))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts import PLAIN, Elastic, Parts, Routed, Size, largest, single, sized
from gennas.spaces.spec import TaskSpec
from gennas.spaces.tokens import TokenNetwork, places

__all__ = [
    "EncoderLayer",
    "EncoderNetwork",
    "LinearTransform",
    "MixedConvolution",
    "SelfAttention",
    "transform_matrices",
]


@dataclass(frozen=True)
class EncoderLayer:
    """One layer, or all that may stand in its place.

    Args:
        hidden: channels ``h``.
        operation: ``sa-sdp``, ``sa-wma``, ``lt-dft``, ``lt-dct``, ``dsc-5`` or ``dsc-9``.
        heads: heads of the operation.
        feed_forward: widths of the stacked linear layers.
        stack: how many of these there are; by default all.
    """

    hidden: Size
    operation: Any
    heads: Size
    feed_forward: Sequence[Size]
    stack: Size | None = None


class EncoderNetwork(TokenNetwork):
    """Embedding and learned positions, normalised; the layers; a linear head on each token, or on their mean.

    Where a layer is wider or narrower than the one before, a linear layer stands between.

    Shapes: tokens ``(b, t)`` to ``(b, t, k)``, for ``text`` to ``(b, k)``.
    """

    def __init__(
        self,
        layers: Sequence[EncoderLayer],
        spec: TaskSpec,
        context: int | None = None,
        depth: Size | None = None,
        parts: Parts = PLAIN,
    ) -> None:
        super().__init__(spec, context)
        widths = [layer.hidden for layer in layers]
        self.embedding = parts.embedding(spec.vocabulary, widths[0])
        self.positions = parts.embedding(self.context, widths[0])
        self.norm = parts.layer_norm(widths[0])

        def block(i: int) -> nn.Module | None:
            if i % 2 == 0:
                return Encoder(layers[i // 2], parts)
            before, after = widths[i // 2 : i // 2 + 2]
            changes = sized(lambda a, b: a != b, before, after)
            return parts.alternative(changes, lambda it: parts.linear(before, after) if it else None, passes=True)

        # layers, and between two of them what changes the width
        count = sized(lambda d: 2 * d - 1, len(layers) if depth is None else depth)
        self.layers = parts.rows([(count, block)])
        last = max(map(largest, widths)) if isinstance(count, Elastic) else widths[-1]
        self.head = parts.linear(last, spec.num_outputs)
        self.is_pooled = spec.kind == "text"
        for table in (self.embedding, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.embedding(tokens) + self.positions(places(tokens)))
        x = self.layers(x)
        if self.is_pooled:
            x = x.mean(1)
        logits: Tensor = self.head(x)
        return logits


class Encoder(nn.Module):
    """One layer, see the module."""

    def __init__(self, layer: EncoderLayer, parts: Parts = PLAIN) -> None:
        super().__init__()
        hidden = layer.hidden
        self.operation = parts.alternative(layer.operation, lambda name: _operation(name, hidden, layer.heads, parts))
        self.norm1 = parts.layer_norm(hidden)

        def stack(count: int) -> nn.Module:
            widths = [hidden, *layer.feed_forward[:count]]
            linears = [[parts.linear(a, b), nn.GELU()] for a, b in pairwise(widths)]
            return nn.Sequential(*chain.from_iterable(linears), parts.linear(widths[-1], hidden))

        self.feed_forward = parts.alternative(len(layer.feed_forward) if layer.stack is None else layer.stack, stack)
        self.norm2 = parts.layer_norm(hidden)

    def forward(self, x: Tensor) -> Tensor:
        assert self.operation is not None and self.feed_forward is not None
        x = self.norm1(x + self.operation(x))
        y: Tensor = self.norm2(x + self.feed_forward(x))
        return y


def _operation(name: str, hidden: Size, heads: Size, parts: Parts) -> nn.Module:
    kind, _, parameter = name.partition("-")
    if kind == "sa":
        return SelfAttention(hidden, heads, parameter == "wma", parts)
    if kind == "lt":
        return LinearTransform(hidden, heads, parameter, parts)
    return MixedConvolution(hidden, heads, int(parameter), parts)


class SelfAttention(Routed):
    r"""``softmax(q k^T / sqrt(d)) v``, then a projection; weighted multiplicative: ``softmax(q W k^T / sqrt(d)) v``.

    Multiplicative attention is Luong et al.'s (2015, arXiv 1508.04025); its ``W`` is one matrix over all heads.

    Shapes: ``(b, t, h)`` to ``(b, t, h)``; ``4 h^2 + 4 h`` parameters, ``h^2`` more where weighted.
    """

    def __init__(self, hidden: Size, heads: Size, is_weighted: bool = False, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.head_dim = sized(lambda c, n: c // n, hidden, heads)
        self.qkv = parts.qkv(hidden, heads, self.head_dim)
        self.weight = parts.linear(hidden, hidden, bias=False) if is_weighted else None
        self.proj = parts.linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        head_dim = single(self.head_dim, self)
        q, k, v = self.qkv(x).unflatten(-1, (-1, 3, head_dim)).unbind(-2)  # (b, t, heads, d)
        if self.weight is not None:
            q = self.weight(q.flatten(2)).unflatten(-1, (-1, head_dim))
        mixed = functional.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        y: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return y


class LinearTransform(Routed):
    r"""A linear layer, then a fixed orthonormal transform over places and channels of each head.

    ``dft`` is the real part of the discrete Fourier transform (FNet; Lee-Thorp et al. 2022, arXiv 2105.03824), ``dct``
    the cosine transform DCT-II. They are computed as products with matrices, which count as such and can be exported.

    Shapes: ``(b, t, h)`` to ``(b, t, h)``; ``h^2 + h`` parameters.
    """

    def __init__(self, hidden: Size, heads: Size, transform: str, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.head_dim, self.is_fourier = sized(lambda c, n: c // n, hidden, heads), transform == "dft"
        self.linear = parts.linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x).unflatten(-1, (-1, single(self.head_dim, self))).transpose(1, 2)  # (b, heads, t, d)
        at, channel = torch.ones_like(y[0, 0, :, :1]).cumsum(0) - 1, torch.ones_like(y[0, 0, :1]).cumsum(1) - 1
        channel = channel.transpose(0, 1)
        if self.is_fourier:
            places_cos, places_sin = transform_matrices(at)
            cos, sin = transform_matrices(channel)
            mixed = places_cos @ y @ cos - places_sin @ y @ sin
        else:
            mixed = cosine_matrix(at) @ y @ cosine_matrix(channel).transpose(0, 1)
        z: Tensor = mixed.transpose(1, 2).flatten(2)
        return z


def transform_matrices(at: Tensor) -> tuple[Tensor, Tensor]:
    r"""Cosine and sine part of the orthonormal Fourier transform of ``n`` points ``at (n, 1)``, each ``(n, n)``.

    .. math:: C_{jk} = \cos(2 \pi j k / n) / \sqrt n, \quad S_{jk} = \sin(2 \pi j k / n) / \sqrt n
    """
    n = at.shape[0]
    angles = at @ at.transpose(0, 1) * (2 * math.pi / n)
    return angles.cos() * n**-0.5, angles.sin() * n**-0.5


def cosine_matrix(at: Tensor) -> Tensor:
    r"""The orthonormal cosine transform DCT-II of ``n`` points ``at (n, 1)``, ``(n, n)``.

    .. math:: D_{kj} = \sqrt{2 / n} \cos(\pi k (2 j + 1) / (2 n)), \quad D_{0j} = 1 / \sqrt n
    """
    n = at.shape[0]
    matrix = (at @ (2 * at + 1).transpose(0, 1) * (math.pi / (2 * n))).cos() * (2 / n) ** 0.5
    return torch.where(torch.eq(at, 0), matrix * 0.5**0.5, matrix)


class MixedConvolution(Routed):
    r"""Half of the heads attend, the other half convolve with kernels that depend on the span (Jiang et al. 2020).

    ConvBERT's mixed attention (arXiv 2008.02496): with queries ``q`` and keys ``s`` of a separable convolution, a head
    has at each place the kernel ``softmax(W (q * s))``, which averages values of the ``kernel`` places around it.

    Shapes: ``(b, t, h)`` to ``(b, t, h)``; with ``n`` heads
    ``3.5 h^2 + 3.5 h + kernel h + (h / 2 + 1) n / 2 kernel`` parameters.
    """

    def __init__(self, hidden: Size, heads: Size, kernel: int, parts: Parts = PLAIN) -> None:
        super().__init__()
        half, some = sized(lambda c: c // 2, hidden), sized(lambda n: n // 2, heads)
        self.head_dim, self.kernel = sized(lambda c, n: c // n, hidden, heads), kernel
        self.qkv = parts.qkv(hidden, some, self.head_dim)
        self.depthwise = parts.depthwise1d(hidden, kernel, padding=kernel // 2, bias=False)
        self.pointwise = parts.linear(hidden, half)
        self.kernels = parts.linear(half, sized(lambda n: n * kernel, some))
        self.values = parts.linear(hidden, half)
        self.proj = parts.linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        head_dim = single(self.head_dim, self)
        q, k, v = self.qkv(x).unflatten(-1, (-1, 3, head_dim)).unbind(-2)  # (b, t, heads / 2, d)
        attended = functional.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        span = self.pointwise(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        weights = self.kernels(q.flatten(2) * span).unflatten(-1, (-1, self.kernel)).softmax(-1)
        around = self.kernel // 2
        windows = functional.pad(self.values(x), (0, 0, around, around)).unfold(
            1, self.kernel, 1
        )  # (b, t, h / 2, kernel)
        convolved = torch.unflatten(windows, 2, (-1, head_dim)) @ weights.unsqueeze(-1)
        y: Tensor = self.proj(torch.cat([attended.transpose(1, 2).flatten(2), convolved.flatten(2)], -1))
        return y
