"""Networks of the AutoFormer spaces: vision transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gennas.spaces.spec import TaskSpec
from gennas.spaces.transformer import EPSILON, MLP, Block, RelativeAttention, grid_distances, learned_tokens


@dataclass(frozen=True)
class Sizes:
    """The sizes of a vision transformer.

    Args:
        width: channels of the tokens.
        heads: heads of every layer.
        hidden: channels between the linear layers of every MLP.
        head_dim: channels of a head.
        patch: height and width of a patch.
        grid: rows and columns of patches.
        largest_distance: of relative positions; 0 for none.
        pooling: ``mean`` over the patches, or the class ``token``.
    """

    width: int
    heads: Sequence[int]
    hidden: Sequence[int]
    head_dim: int
    patch: int
    grid: tuple[int, int]
    largest_distance: int
    pooling: str


class RelativeBlock(nn.Module):
    """A pre-norm block whose attention knows relative positions."""

    def __init__(self, width: int, heads: int, head_dim: int, hidden: int, distances: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attention = RelativeAttention(width, heads, head_dim, distances)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = MLP(width, hidden)

    def forward(self, x: Tensor, distance: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), distance)
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class VisionTransformer(nn.Module):
    """Patches to tokens, a class token, positions, blocks, normalisation, head: ``(b, c, h, w)`` to ``(b, k)``.

    The index of relative distances is one buffer ``distance (2, n, n)`` that all layers share.
    """

    def __init__(self, sizes: Sizes, spec: TaskSpec) -> None:
        super().__init__()
        width, (rows, columns) = sizes.width, sizes.grid
        self.patches = nn.Conv2d(spec.input_shape[0], width, sizes.patch, sizes.patch)
        self.class_token = learned_tokens(width, 1, 1, width)
        self.positions = learned_tokens(width, 1, 1 + rows * columns, width)
        self.is_relative = sizes.largest_distance > 0
        layers = list(zip(sizes.heads, sizes.hidden, strict=True))
        if self.is_relative:
            self.register_buffer("distance", grid_distances(rows, columns, sizes.largest_distance))
            distances = 2 * sizes.largest_distance + 2
            self.blocks = nn.ModuleList(RelativeBlock(width, h, sizes.head_dim, m, distances) for h, m in layers)
        else:
            self.blocks = nn.ModuleList(Block(width, h, sizes.head_dim, m) for h, m in layers)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.pooling = sizes.pooling
        self.head = nn.Linear(width, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x, self.distance) if self.is_relative else block(x)
        x = self.norm(x)
        logits: Tensor = self.head(x[:, 1:].mean(1) if self.pooling == "mean" else x[:, 0])
        return logits
