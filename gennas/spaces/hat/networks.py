r"""HAT's encoder: layers that normalise after adding, with 512 channels of attention whatever their width.

.. math:: y = LN(x + Attention(x)), \quad z = LN(y + FF(y))
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.spec import TaskSpec
from gennas.spaces.tokens import TokenNetwork

__all__ = ["Attention", "HATEncoder", "HATLayer", "sinusoids"]


class HATEncoder(TokenNetwork):
    """Scaled embedding with sinusoids, the layers, and a linear head on each token, or on their mean.

    Args:
        width: channels ``E``.
        layers: heads and channels of the feed-forward layer, for each layer.
        attention: channels of all heads.
        spec: the task.
        context: longest input; by default the task's.

    Shapes: tokens ``(b, t)`` to ``(b, t, k)``, for ``text`` to ``(b, k)``.
    """

    def __init__(
        self, width: int, layers: Sequence[tuple[int, int]], attention: int, spec: TaskSpec, context: int | None = None
    ) -> None:
        super().__init__(spec, context)
        self.scale = math.sqrt(width)
        self.embedding = nn.Embedding(spec.vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.layers = nn.Sequential(*[HATLayer(width, heads, attention, ffn) for heads, ffn in layers])
        self.head = nn.Linear(width, spec.num_outputs)
        self.is_pooled = spec.kind == "text"

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) * self.scale
        x = self.layers(x + sinusoids(x))
        if self.is_pooled:
            x = x.mean(1)
        logits: Tensor = self.head(x)
        return logits


def sinusoids(x: Tensor) -> Tensor:
    r"""Positions ``(t, E)`` for tokens ``x (b, t, E)``: sines, then cosines (Vaswani et al. 2017, arXiv 1706.03762).

    .. math:: p_{i,c} = \sin(i\,10000^{-c / (E/2 - 1)}), \quad p_{i,E/2+c} = \cos(i\,10000^{-c / (E/2 - 1)})

    Example:
        >>> sinusoids(torch.zeros(1, 2, 4)).round(decimals=2).tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.8399999737739563, 0.0, 0.5400000214576721, 1.0]]
    """
    place = torch.ones_like(x[0, :, :1]).cumsum(0) - 1
    channel = torch.ones_like(x[0, :1]).chunk(2, -1)[0].cumsum(-1) - 1
    last = channel.shape[-1] - 1
    angles = place @ (channel * (-math.log(10000) / last)).exp()
    return torch.cat([angles.sin(), angles.cos()], -1)


class HATLayer(nn.Module):
    """Attention and a feed-forward layer with ReLU; see the module.

    Shapes: ``(b, t, E)`` to ``(b, t, E)``.
    """

    def __init__(self, width: int, heads: int, attention: int, ffn: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, attention)
        self.norm1 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, ffn), nn.ReLU(), nn.Linear(ffn, width))
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x))
        y: Tensor = self.norm2(x + self.feed_forward(x))
        return y


class Attention(nn.Module):
    """Self-attention with a number of channels of its own; rows of ``qkv`` are ordered (head, 3, head_dim).

    Shapes: ``(b, t, E)`` to ``(b, t, E)``; ``4 a E + 3 a + E`` parameters with ``a`` channels of all heads.
    """

    def __init__(self, width: int, heads: int, channels: int) -> None:
        super().__init__()
        self.head_dim = channels // heads
        self.qkv = nn.Linear(width, 3 * channels)
        self.proj = nn.Linear(channels, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (-1, 3, self.head_dim)).permute(3, 0, 2, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        y: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return y
