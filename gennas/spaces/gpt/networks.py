r"""Causal transformers of plain modules.

Tokens are ``x (b, t, c)``. A block computes, one after the other or in parallel,

.. math:: y = x + Mix(LN(x)), \quad z = y + MLP(LN(y)) \qquad\text{or}\qquad z = x + Mix(LN_1(x)) + MLP(LN_2(x))

(Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; Black et al. 2022, arXiv 2204.06745). Rows
of ``qkv`` are ordered (head, 3, head_dim), so that fewer heads are a leading slice; the number of heads is read from
the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts import PLAIN, Choice, Elastic, Parts, Routed, Size, largest, single, sized
from gennas.spaces.spec import TaskSpec
from gennas.spaces.tokens import TokenNetwork, places

__all__ = ["Block", "CausalAttention", "CausalConvolution", "Design", "GPTNetwork", "Layer", "rotated"]

KERNEL = 5  # of causal convolutions
BASE = 10000.0  # of rotary frequencies


@dataclass(frozen=True)
class Layer:
    """One block.

    Args:
        mixer: how tokens are mixed, ``attention``, ``conv``, or ``none``, which leaves the MLP alone; or all of these.
        heads: heads of ``attention``.
        head_dim: channels of a head.
        hidden: channels between the linear layers of the MLP.
    """

    mixer: Any
    heads: Size
    head_dim: Size
    hidden: Size


@dataclass(frozen=True)
class Design:
    """A whole network.

    Args:
        width: channels ``c``.
        layers: the blocks.
        bias: whether linear layers and convolutions have biases; normalisation always has.
        positions: ``rotary`` turns queries and keys, ``learned`` adds a vector for each place.
        rotary: share of a head's channels that is turned.
        is_parallel: whether mixer and MLP read the same input.
        is_tied: whether a language model's head is the embedding's matrix.
        depth: how many of the layers run; by default all.
        parts: what the network is made of.
    """

    width: Size
    layers: Sequence[Layer]
    bias: Size = True
    positions: Literal["rotary", "learned"] = "rotary"
    rotary: float = 0.5
    is_parallel: bool = True
    is_tied: bool = False
    depth: Size | None = None
    parts: Parts = PLAIN


class GPTNetwork(TokenNetwork):
    """Embedding, causal blocks, layer normalisation and a linear head: next tokens, tags, or one class per text.

    A language model's head has no bias. For ``text`` the outputs of all places are averaged before the head.

    Shapes: tokens ``(b, t)`` to ``(b, t, k)``, for ``text`` to ``(b, k)``.
    """

    def __init__(self, design: Design, spec: TaskSpec, context: int | None = None) -> None:
        super().__init__(spec, context)
        width, is_language = design.width, spec.kind == "language"
        parts, layers = design.parts, design.layers
        self.embedding = parts.embedding(spec.vocabulary, width)
        self.positions = parts.embedding(self.context, width) if design.positions == "learned" else None
        depth = len(layers) if design.depth is None else design.depth
        self.blocks = parts.rows([(depth, lambda i: Block(layers[i], design))])
        self.norm = parts.layer_norm(width)
        self.head = parts.linear(width, spec.num_outputs, not is_language)
        self.is_pooled = spec.kind == "text"
        _initialise(self, design)
        if design.is_tied and is_language and spec.num_outputs == spec.vocabulary:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions(places(tokens))
        x = self.norm(self.blocks(x))
        if self.is_pooled:
            x = x.mean(1)
        logits: Tensor = self.head(x)
        return logits


class Block(nn.Module):
    """A mixer and an MLP, each after its layer normalisation and added to the input; see the module."""

    def __init__(self, layer: Layer, design: Design) -> None:
        super().__init__()
        width, bias, parts = design.width, design.bias, design.parts
        self.mixer = self._mixer(layer, design)
        if self.mixer is not None:
            self.norm1 = parts.layer_norm(width)
        self.norm2 = parts.layer_norm(width)
        self.mlp = nn.Sequential(
            parts.linear(width, layer.hidden, bias), nn.GELU(), parts.linear(layer.hidden, width, bias)
        )
        self.is_parallel = design.is_parallel

    def _mixer(self, layer: Layer, design: Design) -> nn.Module | None:
        """The module that mixes tokens, or the place of all that may."""

        def make(mixer: str) -> nn.Module | None:
            if mixer == "none":
                return None
            if mixer == "conv":
                return CausalConvolution(design.width, KERNEL, design.bias, design.parts)
            share = design.rotary if design.positions == "rotary" else 0.0
            turned = sized(lambda d: _turned(d, share), layer.head_dim)
            return CausalAttention(design.width, layer.heads, layer.head_dim, turned, design.bias, design.parts)

        if not isinstance(layer.mixer, Elastic):
            return make(layer.mixer)
        (decision,), names = layer.mixer.decisions, layer.mixer.table
        return design.parts.choice(decision, lambda symbol: make(names.get((symbol,), "none")))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.mixer is not None and not (isinstance(self.mixer, Choice) and self.mixer.is_idle):
            y = x + self.mixer(self.norm1(x))
        z: Tensor = y + self.mlp(self.norm2(x if self.is_parallel else y))
        return z


class CausalAttention(Routed):
    r"""Multi-head attention to this and earlier tokens: ``softmax(q k^T / sqrt(head_dim)) v``, then a projection.

    Args:
        width: channels ``c``.
        heads: number of heads; with ``head_dim`` they need not divide the width.
        head_dim: channels of a head.
        turned: channels of each query and key that :func:`rotated` turns; 0 for none.
        bias: whether the linear layers have one.
        parts: what it is made of.

    Shapes: ``(b, t, c)`` to ``(b, t, c)``; ``4 c q`` weights and ``3 q + c`` biases with ``q = heads head_dim``.
    """

    def __init__(
        self, width: Size, heads: Size, head_dim: Size, turned: Size = 0, bias: Size = True, parts: Parts = PLAIN
    ) -> None:
        super().__init__()
        self.head_dim, self.turned = head_dim, turned
        self.qkv = parts.qkv(width, heads, head_dim, bias)
        self.proj = parts.linear(sized(lambda h, d: h * d, heads, head_dim), width, bias)
        if turned and not isinstance(turned, Elastic):
            self.register_buffer("frequencies", frequencies(turned), persistent=False)
            self.frequencies: Tensor

    def forward(self, x: Tensor) -> Tensor:
        head_dim, turned = single(self.head_dim, self), single(self.turned, self)
        q, k, v = self.qkv(x).unflatten(-1, (-1, 3, head_dim)).permute(3, 0, 2, 1, 4).unbind(0)
        if turned:
            place = torch.ones_like(x[0, :, :1]).cumsum(0) - 1
            speeds = frequencies(turned).to(x) if isinstance(self.turned, Elastic) else self.frequencies
            angles = place * speeds
            q, k = rotated(q, angles, turned), rotated(k, angles, turned)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return y


def frequencies(turned: int) -> Tensor:
    """Angles per place of the pairs of channels that are turned, ``(turned / 2,)``."""
    return BASE ** (-torch.arange(0, turned, 2) / turned)


def rotated(x: Tensor, angles: Tensor, channels: int) -> Tensor:
    r"""Turn pairs of channels by angles: rotary position embedding (Su et al. 2021, arXiv 2104.09864).

    Channel ``i`` of the first half of ``channels`` is paired with channel ``i`` of their second half, as in GPT-NeoX:

    .. math:: (a, b) \mapsto (a \cos\theta - b \sin\theta,\; b \cos\theta + a \sin\theta)

    Shapes: ``x (..., t, d)``, ``angles (t, channels / 2)``; channels beyond ``channels`` stay as they are.

    Example:
        >>> (100 * rotated(torch.tensor([[3.0, 0.0, 7.0]]), torch.tensor([[torch.pi / 6]]), 2)).round().tolist()
        [[260.0, 150.0, 700.0]]
    """
    cos, sin = angles.cos(), angles.sin()
    turned, rest = x.tensor_split([channels], -1)
    a, b = turned.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


class CausalConvolution(nn.Module):
    """A depthwise convolution over this and the ``kernel - 1`` tokens before it, then a linear layer.

    Shapes: ``(b, t, c)`` to ``(b, t, c)``; ``c kernel + c^2`` weights and ``2 c`` biases.
    """

    def __init__(self, width: Size, kernel: int = KERNEL, bias: bool = True, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.depthwise = parts.depthwise1d(width, kernel, padding=kernel - 1, bias=bias)
        self.pointwise = parts.linear(width, width, bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).narrow(2, 0, x.shape[1])  # what looks ahead is cut off
        z: Tensor = self.pointwise(y.transpose(1, 2))
        return z


def _turned(head_dim: int, share: float) -> int:
    """Channels of a head that are turned: an even number."""
    return 2 * int(head_dim * share / 2)


def _initialise(network: GPTNetwork, design: Design) -> None:
    """Normal weights of variance ``2 / (5 c)``; what is added to the stream is divided by ``sqrt(2 layers)``."""
    width = largest(design.width)
    std = math.sqrt(2 / (5 * width))
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for block in network.blocks:
        ends = [m for m in block.modules() if isinstance(m, nn.Linear) and m.out_features == width]
        for linear in ends:
            linear.weight.data /= math.sqrt(2 * len(design.layers))
