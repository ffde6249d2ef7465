"""Networks of the AutoFormer spaces: vision transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gennas.spaces.parts import Parts, Size, in_turn, read
from gennas.spaces.spec import TaskSpec
from gennas.spaces.transformer import EPSILON, MLP, Block, RelativeAttention, grid_distances, learned_tokens


@dataclass(frozen=True)
class Sizes:
    """The sizes of a vision transformer.

    Args:
        width: channels of the tokens.
        depth: number of layers.
        heads: heads of every layer.
        hidden: channels between the linear layers of every MLP.
        head_dim: channels of a head.
        patch: height and width of a patch.
        grid: rows and columns of patches.
        largest_distance: of relative positions; 0 for none.
        pooling: ``mean`` over the patches, or the class ``token``.
    """

    width: Size
    depth: Size
    heads: Sequence[Size]
    hidden: Sequence[Size]
    head_dim: int
    patch: int
    grid: tuple[int, int]
    largest_distance: int
    pooling: str


class RelativeBlock(nn.Module):
    """A pre-norm block whose attention knows relative positions."""

    def __init__(self, width: Size, heads: Size, head_dim: int, hidden: Size, distances: int, parts: Parts) -> None:
        super().__init__()
        self.norm1 = parts.layer_norm(width, EPSILON)
        self.attention = RelativeAttention(width, heads, head_dim, distances, parts)
        self.norm2 = parts.layer_norm(width, EPSILON)
        self.mlp = MLP(width, hidden, parts)

    def forward(self, x: Tensor, distance: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), distance)
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class VisionTransformer(nn.Module):
    """Patches to tokens, a class token, positions, blocks, normalisation, head: ``(b, c, h, w)`` to ``(b, k)``.

    The index of relative distances is one buffer ``distance (2, n, n)`` that all layers share.
    """

    distance: Tensor

    def __init__(self, sizes: Sizes, spec: TaskSpec, parts: Parts) -> None:
        super().__init__()
        width, (rows, columns) = sizes.width, sizes.grid
        self.patches = parts.conv(spec.input_shape[0], width, sizes.patch, sizes.patch)
        self.class_token = parts.vector(lambda size: learned_tokens(size, 1, 1, size), width)
        self.positions = parts.vector(lambda size: learned_tokens(size, 1, 1 + rows * columns, size), width)
        self.is_relative = sizes.largest_distance > 0
        if self.is_relative:
            self.register_buffer("distance", grid_distances(rows, columns, sizes.largest_distance))
        distances = 2 * sizes.largest_distance + 2

        def block(i: int) -> nn.Module:
            shape = (width, sizes.heads[i], sizes.head_dim, sizes.hidden[i])
            return RelativeBlock(*shape, distances, parts) if self.is_relative else Block(*shape, parts)

        self.blocks = parts.depth(sizes.depth, block)
        self.norm = parts.layer_norm(width, EPSILON)
        self.pooling = sizes.pooling
        self.head = parts.linear(width, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([read(self.class_token).expand(x.shape[0], -1, -1), x], 1) + read(self.positions)
        x = in_turn(self.blocks, x, self.distance) if self.is_relative else in_turn(self.blocks, x)
        x = self.norm(x)
        logits: Tensor = self.head(x[:, 1:].mean(1) if self.pooling == "mean" else x[:, 0])
        return logits
