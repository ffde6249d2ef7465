r"""Transformer blocks of plain modules, shared by the spaces of transformers.

Tokens are ``x (b, n, c)``. A pre-norm block computes

.. math:: y = x + Attention(LN(x)), \quad z = y + MLP(LN(y))

(Vaswani et al. 2017, arXiv 1706.03762; Dosovitskiy et al. 2021, arXiv 2010.11929). Rows of ``qkv`` are ordered
(head, 3, head_dim), so that fewer heads are a leading slice; the number of heads is read from the weights. Attention is
written out in matrix products: second derivatives, which some proxies need, exist for them, and every export has them.
Linear layers keep PyTorch's initialisation, which is larger for narrower inputs: with the 0.02 of large models
16 channels hardly learn.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gennas.spaces.parts import PLAIN, Elastic, Parts, Routed, Size, single, sized

__all__ = ["MLP", "Attention", "Block", "RelativeAttention", "grid_distances", "learned_tokens"]

EPSILON = 1e-6  # of layer normalisation, as in vision transformers


class Attention(Routed):
    r"""Multi-head self-attention: ``softmax(q k^T / sqrt(head_dim)) v`` per head, then a projection.

    Args:
        width: channels ``c``.
        heads: number of heads; they need not divide the width.
        head_dim: channels of a head; where it varies, queries, keys and values stay apart.
        parts: what it is made of.

    Shapes: ``(b, n, c)`` to ``(b, n, c)``; ``(c + 1) 3 q + (q + 1) c`` parameters with ``q = heads head_dim``.
    """

    def __init__(self, width: Size, heads: Size, head_dim: Size, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.head_dim, channels = head_dim, sized(lambda h, d: h * d, heads, head_dim)
        if isinstance(head_dim, Elastic):
            self.qkv = parts.qkv(width, heads, head_dim)
        else:
            self.qkv = parts.linear(width, sized(lambda c: 3 * c, channels))
        self.proj = parts.linear(channels, width)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to all tokens."""
        head_dim = single(self.head_dim, self)
        q, k, v = self.qkv(x).unflatten(-1, (-1, 3, head_dim)).permute(3, 0, 2, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * head_dim**-0.5).softmax(-1)
        y: Tensor = self.proj((weights @ v).transpose(1, 2).flatten(2))
        return y


class RelativeAttention(nn.Module):
    r"""Self-attention with learned relative positions on a grid, for keys and for values.

    .. math:: a_{ij} = \frac{q_i \cdot (k_j + r^k_{ij})}{\sqrt{d}}, \quad
              o_i = \sum_j softmax_j(a_{ij}) (v_j + r^v_{ij})

    with :math:`r_{ij}` the sum of one vector for the vertical and one for the horizontal distance, shared by the
    heads (Shaw et al. 2018, arXiv 1803.02155; on images: Wu et al. 2021, arXiv 2107.14222).

    Args:
        width: channels ``c``.
        heads: number of heads.
        head_dim: channels ``d`` of a head.
        distances: rows of each of the four tables, see :func:`grid_distances`.
        parts: what it is made of.

    Shapes: ``x (b, n, c)`` and ``distance (2, n, n)``, rows of the tables, to ``(b, n, c)``; ``4 distances d``
    parameters more than :class:`Attention`.
    """

    def __init__(self, width: Size, heads: Size, head_dim: int, distances: int, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.qkv = parts.linear(width, sized(lambda h: 3 * h * head_dim, heads))
        self.proj = parts.linear(sized(lambda h: h * head_dim, heads), width)
        self.keys = learned_tokens(head_dim, 2, distances, head_dim)
        self.values = learned_tokens(head_dim, 2, distances, head_dim)

    def forward(self, x: Tensor, distance: Tensor) -> Tensor:
        """Attend to all tokens."""
        q, k, v = self.qkv(x).unflatten(-1, (-1, 3, self.head_dim)).permute(3, 0, 2, 1, 4).unbind(0)
        keys = self.keys[0][distance[0]] + self.keys[1][distance[1]]  # (n, n, d)
        values = self.values[0][distance[0]] + self.values[1][distance[1]]
        scores = q @ k.transpose(-2, -1) + torch.einsum("bhid,ijd->bhij", q, keys)
        weights = (scores * self.head_dim**-0.5).softmax(-1)
        mixed = weights @ v + torch.einsum("bhij,ijd->bhid", weights, values)
        y: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return y


def grid_distances(rows: int, columns: int, largest: int) -> Tensor:
    """Rows of the tables of relative positions for a class token and a grid of tokens after it, ``(2, n, n)``.

    Distances are clipped to ``largest`` and counted from 1, so that there are ``2 largest + 2`` rows: row 0 is of
    pairs with the class token.

    Args:
        rows: height of the grid.
        columns: width of the grid; ``n = 1 + rows * columns``.
        largest: distance from which on all are the same.

    Example:
        >>> grid_distances(1, 2, 14)[1].tolist()  # horizontal, from the class token and from two tokens
        [[0, 0, 0], [0, 15, 16], [0, 14, 15]]
    """
    y, x = torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)
    found = torch.zeros(2, 1 + rows * columns, 1 + rows * columns, dtype=torch.long)
    for i, place in enumerate((y, x)):
        found[i, 1:, 1:] = (place[None] - place[:, None]).clamp(-largest, largest) + largest + 1
    return found


class MLP(nn.Module):
    """Linear, GELU, linear.

    Args:
        width: channels ``c`` in and out.
        hidden: channels ``m`` between.
        parts: what it is made of.

    Shapes: ``(b, n, c)`` to ``(b, n, c)``; ``(c + 1) m + (m + 1) c`` parameters.
    """

    def __init__(self, width: Size, hidden: Size, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.fc1 = parts.linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = parts.linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every token."""
        y: Tensor = self.fc2(self.act(self.fc1(x)))
        return y


class Block(nn.Module):
    """A pre-norm block of :class:`Attention` and :class:`MLP`.

    Args:
        width: channels ``c``.
        heads: heads of the attention.
        head_dim: channels of a head.
        hidden: channels between the linear layers of the MLP.
        parts: what it is made of.

    Shapes: ``(b, n, c)`` to ``(b, n, c)``; ``4 c`` parameters of normalisation.
    """

    def __init__(self, width: Size, heads: Size, head_dim: Size, hidden: Size, parts: Parts = PLAIN) -> None:
        super().__init__()
        self.norm1 = parts.layer_norm(width, EPSILON)
        self.attention = Attention(width, heads, head_dim, parts)
        self.norm2 = parts.layer_norm(width, EPSILON)
        self.mlp = MLP(width, hidden, parts)

    def forward(self, x: Tensor) -> Tensor:
        """Attention, then the MLP, each added to its input."""
        x = x + self.attention(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


def learned_tokens(width: int, *shape: int) -> nn.Parameter:
    """Learned positions or tokens, normal of standard deviation ``width^-1/2`` and cut at two.

    With the 0.02 that is usual at 768 channels positions would hardly be seen at 16.
    """
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=width**-0.5))
